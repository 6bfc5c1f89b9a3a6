'use strict';

const { setTimeout: pause } = require('node:timers/promises');

/**
 * What the engine gets to tidy up after a create or a removal. The container that is measured next
 * needs no rest of its own: it was made a round earlier.
 */
const REST_MS = 60;

/** Resolves when none of the pools asks anything of the engine, and has not for a while. */
async function quiet(pools) {
  await Promise.all(pools.map((pool) => pool.settled()));
  await pause(REST_MS);
}

/** A copy in random order, so that no side has the better place in a round. */
function shuffled(items) {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

module.exports = { quiet, shuffled };
