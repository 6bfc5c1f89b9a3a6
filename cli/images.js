'use strict';

const { findImages } = require('../lib');
const { age } = require('./age');
const { engineOptions, withPool } = require('./engine');
const { paint } = require('./paint');
const { printable, printableJson } = require('./printable');
const { layOut } = require('./table');

const options = { engine: engineOptions.engine };

const fault = ([extra]) => (extra === undefined ? undefined : `images takes no ${extra}`);

const MB = 1e6;

/** As engines tell sizes. */
const size = (bytes) => `${(bytes / MB).toFixed(1)} MB`;

/** Images as the command line tells of them, by what `find` gives of a pool. */
async function imagesOf(pool, find) {
  return (await find(pool)).map(({ since, ...image }) => ({
    ...image,
    pulled: new Date(since * 1000).toISOString(),
  }));
}

/** Images as people read them. */
function table(images, colour) {
  const rows = images.map(({ name, digest, size: bytes, pulled, inUse }) => [
    ...[name, digest.replace('sha256:', '').slice(0, 12), size(bytes)],
    ...[age(Date.parse(pulled)), inUse ? 'yes' : 'no'],
  ]);
  const [head, ...body] = layOut([['image', 'digest', 'size', 'age', 'in use'], ...rows]);
  return `${[colour('bold', head), ...body].join('\n')}\n`;
}

async function perform({ values, pool: given, io }) {
  return withPool(given, async (pool) => {
    const images = await imagesOf(pool, findImages);
    const engine = pool.stats().engine.address;
    if (values.json) io.stdout.write(`${printableJson({ engine, images })}\n`);
    else if (images.length > 0) io.stdout.write(table(images, paint(io)));
    else io.stderr.write(`no images of this package on ${printable(engine)}\n`);
    return 0;
  });
}

module.exports = { fault, imagesOf, options, perform, size, table };
