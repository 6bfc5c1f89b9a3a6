'use strict';

const { randomFillSync } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { connect } = require('../harness/engine');

/**
 * Builds an image of a base and some layers of random bytes. Pushed to a registry and removed from
 * the engine, it is one whose layers really have to be fetched by the next pull.
 */
async function buildLayered(engine, { name, base, layers, bytes }) {
  const docker = connect(engine);
  const context = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-context-'));
  try {
    const files = Array.from({ length: layers }, (_, at) => `layer-${at + 1}`);
    for (const file of files) {
      fs.writeFileSync(path.join(context, file), randomFillSync(Buffer.alloc(bytes)));
    }
    const lines = [`FROM ${base}`, ...files.map((file) => `COPY ${file} /opt/${file}`)];
    fs.writeFileSync(path.join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    const stream = await docker.buildImage({ context, src: ['Dockerfile', ...files] }, { t: name });
    await new Promise((resolve, reject) => {
      docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    fs.rmSync(context, { recursive: true, force: true });
  }
}

module.exports = { buildLayered };
