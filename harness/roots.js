'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');

const { connect } = require('./engine');
const { cache } = require('./paths');

/** Where the root file system of an image is kept. */
const rootOf = (image) => path.join(cache, 'roots', image.replace(/[^a-z0-9.]+/g, '-'));

/** Writes what an image holds into a folder, as a container of it would have it. */
async function exportTo(docker, image, folder) {
  const container = await docker.createContainer({ Image: image, Cmd: ['true'] });
  try {
    const tar = spawn('tar', ['--extract', '--numeric-owner', '--directory', folder], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const closed = once(tar, 'close');
    await pipeline(await container.export(), tar.stdin);
    const [code] = await closed;
    if (code !== 0) throw new Error(`tar ended with ${code} over the files of ${image}`);
  } finally {
    await container.remove({ force: true });
  }
}

/**
 * Makes sure that the root file systems of images are there as folders, for an engine that takes those:
 * from an engine that has the images. Takes root, for the owners of files.
 */
async function ensureRoots(engine, images) {
  const docker = connect(engine);
  for (const image of images) {
    const { Id } = await docker.getImage(image).inspect();
    const folder = rootOf(image);
    const mark = `${folder}.id`;
    if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') === Id) continue;
    fs.rmSync(folder, { recursive: true, force: true });
    const parts = `${folder}.${process.pid}`;
    fs.mkdirSync(parts, { recursive: true, mode: 0o755 });
    try {
      await exportTo(docker, image, parts);
      fs.renameSync(parts, folder);
      fs.writeFileSync(mark, Id);
    } finally {
      fs.rmSync(parts, { recursive: true, force: true });
    }
  }
}

module.exports = { ensureRoots, rootOf };
