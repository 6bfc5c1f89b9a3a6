'use strict';

const { printable } = require('./printable');
const { StatusLine } = require('./status-line');

const MiB = 2 ** 20;

const inMiB = (bytes) => (bytes / MiB).toFixed(1);

/**
 * Says on stderr that a pool's image is being pulled, and on a terminal how far that is, from the bytes of
 * the layers that the engine has begun to fetch.
 *
 * @returns {() => void} wipes what is shown
 */
function showPull(pool, { stderr }) {
  const line = new StatusLine(stderr);
  // A registry chooses how many layers there are: their sums are kept, not made anew with each step.
  const layers = new Map();
  const sum = { current: 0, total: 0 };
  const note = (layer, { current, total }) => {
    const before = layers.get(layer) ?? { current: 0, total: 0 };
    sum.current += current - before.current;
    sum.total += total - before.total;
    layers.set(layer, { current, total });
  };
  let told = false;
  pool.on('pull', ({ image, layer, status, current, total }) => {
    if (!told && !stderr.isTTY) stderr.write(`scientist-pool: pulling ${printable(image)}\n`);
    told = true;
    if (layer === null) {
      // The last words, which are about the whole.
      line.wipe();
      return;
    }
    if (/^Downloading/.test(status) && total !== null) note(layer, { current, total });
    else if (layers.has(layer)) {
      const all = layers.get(layer).total;
      note(layer, { current: all, total: all });
    }
    const extent = sum.total > 0 ? `: ${inMiB(sum.current)} of ${inMiB(sum.total)} MiB` : '';
    line.show(`pulling ${image}${extent}`);
  });
  return () => line.wipe();
}

module.exports = { showPull };
