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

/** Runs a job in a container of any side and throws where the result is wrong. */
async function execute(container, job) {
  const result = await container.execute(job.script, job.env, job.args);
  job.check(result);
  return result;
}

/** One call as the callers of the old service made it. */
async function callInSteps(pool, job) {
  const started = performance.now();
  const container = await pool.acquire();
  const acquired = performance.now();
  let finished;
  try {
    await execute(container, job);
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

/**
 * In every round and for every side that has a pool, in random order: opens a pool, waits until it is
 * full and at rest, and does the work on it.
 */
async function onFullPools({ sides, open, rounds }, work) {
  for await (const round of rounds()) {
    for (const side of shuffled(sides.filter((name) => name !== 'floor'))) {
      const pool = await open(side);
      try {
        await quiet([pool]);
        await work(round, side, pool);
      } finally {
        await pool.close();
      }
    }
  }
}

module.exports = { quiet, shuffled, execute, callInSteps, onFullPools };
