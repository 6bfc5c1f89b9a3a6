'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pipeline } = require('node:stream/promises');

const { connect } = require('./engine');
const { cache } = require('./paths');

const FOLDER = path.join(cache, 'archives');

/** Where the archive of an image is kept. */
const archiveOf = (image) => path.join(FOLDER, `${image.replace(/[^a-z0-9.]+/g, '-')}.tar`);

/** An image as the local engine takes it, which has none by the name that another engine has it by. */
const localImage = (image) => `docker-archive:${archiveOf(image)}`;

/** Makes sure that images are there as archives, from an engine that has them. */
async function ensureArchives(engine, images) {
  const docker = connect(engine);
  fs.mkdirSync(FOLDER, { recursive: true });
  for (const image of images) {
    const { Id } = await docker.getImage(image).inspect();
    const file = archiveOf(image);
    const mark = `${file}.id`;
    if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') === Id && fs.existsSync(file))
      continue;
    const part = `${file}.${process.pid}`;
    try {
      await pipeline(await docker.getImage(image).get(), fs.createWriteStream(part));
      fs.renameSync(part, file);
      fs.writeFileSync(mark, Id);
    } finally {
      fs.rmSync(part, { force: true });
    }
  }
}

module.exports = { archiveOf, ensureArchives, localImage };
