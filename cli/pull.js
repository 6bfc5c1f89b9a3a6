'use strict';

const { engineOptions, withEngine } = require('./engine');
const { printable, printableJson } = require('./printable');

const options = { engine: engineOptions.engine };

function fault([image, extra]) {
  if (image === undefined) return 'pull takes the name of an image';
  return extra === undefined ? undefined : `pull takes one image, and no ${extra}`;
}

async function perform({ values, positionals: [image], pool, io }) {
  const given = { ...pool, image, pull: 'always' };
  return withEngine(given, io, ({ engine, failure }) => {
    if (failure !== null) throw failure;
    const { address } = engine;
    if (values.json) io.stdout.write(`${printableJson({ engine: address, image })}\n`);
    else io.stderr.write(`${printable(`${image} is there, on ${address}`)}\n`);
    return 0;
  });
}

module.exports = { fault, options, perform };
