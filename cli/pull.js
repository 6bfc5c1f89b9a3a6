'use strict';

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
  const layers = new Map();
  let told = false;
  pool.on('pull', ({ image, layer, status, current, total }) => {
    if (!told && !stderr.isTTY) stderr.write(`scientist-pool: pulling ${image}\n`);
    told = true;
    if (layer === null) {
      // The last words, which are about the whole.
      line.wipe();
      return;
    }
    if (/^Downloading/.test(status) && total !== null) layers.set(layer, { current, total });
    else if (layers.has(layer)) layers.get(layer).current = layers.get(layer).total;
    const [done, all] = ['current', 'total'].map((key) =>
      [...layers.values()].reduce((sum, bytes) => sum + bytes[key], 0),
    );
    const extent = all > 0 ? `: ${inMiB(done)} of ${inMiB(all)} MiB` : '';
    line.show(`pulling ${image}${extent}`);
  });
  return () => line.wipe();
}

module.exports = { showPull };
