'use strict';

const { age } = require('./age');
const { paint } = require('./paint');
const { printable, printableJson } = require('./printable');
const { ask } = require('./store');
const { layOut } = require('./table');

const options = {};

const fault = ([extra]) => (extra === undefined ? undefined : `images takes no ${extra}`);

const MB = 1e6;

/** As engines tell sizes. */
const size = (bytes) => `${(bytes / MB).toFixed(1)} MB`;

/** Images as people read them. */
function table(images, colour) {
  const rows = images.map(({ name, digest, size: bytes, pulled, inUse }) => [
    ...[name, digest.replace('sha256:', '').slice(0, 12), size(bytes)],
    ...[age(Date.parse(pulled)), inUse ? 'yes' : 'no'],
  ]);
  const [head, ...body] = layOut([['image', 'digest', 'size', 'age', 'in use'], ...rows]);
  return `${[colour('bold', head), ...body].join('\n')}\n`;
}

async function perform({ values, io }) {
  const { store, images } = await ask('list', io.env);
  if (values.json) io.stdout.write(`${printableJson({ store, images })}\n`);
  else if (images.length > 0) io.stdout.write(table(images, paint(io)));
  else io.stderr.write(`no images in ${printable(store)}\n`);
  return 0;
}

module.exports = { fault, options, perform, size, table };
