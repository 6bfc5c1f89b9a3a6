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

/** One call as the callers of the old service made it. */
async function callInSteps(pool, job) {
  const started = performance.now();
  const container = await pool.acquire();
  const acquired = performance.now();
  let finished;
  try {
    await job.runIn(container);
    finished = performance.now();
  } finally {
    await container.destroy();
  }
  return {
    acquireMs: acquired - started,
    resultMs: finished - started,
    wholeMs: performance.now() - started,
  };
}

module.exports = { quiet, shuffled, callInSteps };
