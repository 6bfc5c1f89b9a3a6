'use strict';

const os = require('node:os');
const readline = require('node:readline/promises');

const { findImages, findOrphans, pruneImages } = require('../lib');
const { age } = require('./age');
const { engineOptions, withEngine, withPool } = require('./engine');
const { imagesOf, size, table: imagesTable } = require('./images');
const { paint } = require('./paint');
const { printable, printableJson } = require('./printable');
const { layOut } = require('./table');

const options = {
  ...engineOptions,
  images: { type: 'boolean', default: false },
  yes: { type: 'boolean', short: 'y', default: false },
  'dry-run': { type: 'boolean', default: false },
};

function fault([extra], { image, images, yes, 'dry-run': dry }) {
  if (yes && dry) return '--yes and --dry-run exclude each other';
  if (images && image !== undefined) return '--images takes no --image';
  return extra === undefined ? undefined : `prune takes no ${extra}`;
}

/** The containers that dead processes have left, and the engine's address. */
function look(given) {
  return withPool(given, async (pool) => {
    const found = await findOrphans(pool);
    const host = os.hostname();
    const orphans = found.map(({ id, image, created, pid }) => ({
      ...{ id, image, created: new Date(created * 1000).toISOString() },
      // 0: it was a process of another host, or may have been.
      ...(pid === 0 ? { pid: null, host: null } : { pid, host }),
    }));
    return { engine: pool.stats().engine.address, orphans };
  });
}

/** As people know it: of what is hexadecimal all through, engines show the first twelve digits. */
const short = (id) => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id);

function table(orphans, colour) {
  const rows = orphans.map(({ id, image, created, pid, host }) => [
    ...[short(id), image, age(Date.parse(created)), pid === null ? '-' : `${pid}`, host ?? '-'],
  ]);
  const [head, ...body] = layOut([['container', 'image', 'age', 'process', 'host'], ...rows]);
  return `${[colour('bold', head), ...body].join('\n')}\n`;
}

const count = (containers) =>
  containers.length === 1 ? '1 container' : `${containers.length} containers`;

/** Whether that is to be removed. Without a terminal nobody can be asked, and only `--yes` is a yes. */
async function confirm(what, values, io) {
  if (values['dry-run']) return false;
  if (values.yes) return true;
  if (values.json || !io.stdin.isTTY || !io.stdout.isTTY) return false;
  const terminal = readline.createInterface({ input: io.stdin, output: io.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`Remove ${what}? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** Removes the images that an engine keeps for the package, but for those in use. */
async function removeImages(pool, values, io) {
  const say = (words) => io.stderr.write(`${printable(words)}\n`);
  const told = (images) => {
    const bytes = images.reduce((sum, image) => sum + image.size, 0);
    return `${images.length === 1 ? '1 image' : `${images.length} images`}, ${size(bytes)}`;
  };
  const images = await imagesOf(pool, findImages);
  const engine = pool.stats().engine.address;
  const unused = images.filter(({ inUse }) => !inUse);
  if (!values.json && images.length > 0) io.stdout.write(imagesTable(images, paint(io)));
  const wanted = unused.length > 0 && (await confirm(told(unused), values, io));
  const removed = wanted ? await imagesOf(pool, pruneImages) : [];
  if (values.json) io.stdout.write(`${printableJson({ engine, images, removed })}\n`);
  else if (unused.length === 0) say(`no images of this package on ${engine} that are not in use`);
  else if (wanted) say(`removed ${told(removed)} from ${engine}`);
  else say('removed nothing; prune --images --yes removes those that are not in use');
  return 0;
}

async function perform({ values, pool, io }) {
  if (values.images) return withPool(pool, (own) => removeImages(own, values, io));
  const given = { ...pool, pull: 'never' };
  const say = (words) => io.stderr.write(`${printable(words)}\n`);
  const { engine, orphans } = await look(given);
  if (!values.json && orphans.length > 0) io.stdout.write(table(orphans, paint(io)));
  const wanted = orphans.length > 0 && (await confirm(count(orphans), values, io));
  // What every pool does when it first contacts its engine, and nothing else.
  const removed = wanted ? await withEngine(given, io, ({ swept }) => swept) : [];
  const left = orphans.filter(({ id }) => !removed.includes(id));
  if (values.json) {
    io.stdout.write(`${printableJson({ engine, orphans, removed })}\n`);
  } else if (orphans.length === 0) {
    say(`no containers of processes that are gone on ${engine}`);
  } else if (wanted) {
    say(`removed ${count(removed)} of processes that are gone from ${engine}`);
  } else {
    say('removed nothing; prune --yes removes them');
  }
  if (!wanted || left.length === 0) return 0;
  say(`${count(left)} could not be removed: ${left.map(({ id }) => id).join(', ')}`);
  return 1;
}

module.exports = { fault, options, perform };
