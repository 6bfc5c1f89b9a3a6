'use strict';

const { setTimeout: pause } = require('node:timers/promises');

const { hello } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const WARM = 2;
const ARRIVAL_MS = 200;

const MEASURED = `"Time to interactive" is from the request for a container to the result of print("hello")
  in it: acquire + execute on all sides; the removal is timed by itself. Warm: a pool of ${WARM} that is full at
  the start. Cold: a pool of size 0, each container made on demand. The series take turns in random order, each
  with a pool of its own, on an engine at rest.`;

/** How calls follow one another: each takes the number of calls and one call, and resolves after all. */
const arrivals = {
  /** Each begins when the one before is done and its container gone. */
  async sequential(calls, call) {
    for (let at = 0; at < calls; at += 1) {
      await (await call()).removal;
    }
  },

  /** One begins every `ARRIVAL_MS`, whatever has become of those before. */
  async staggered(calls, call) {
    const began = performance.now();
    const under = [];
    for (let at = 0; at < calls; at += 1) {
      await pause(Math.max(0, began + at * ARRIVAL_MS - performance.now()));
      under.push(call());
    }
    await Promise.all(under);
  },

  /** All begin at once. */
  async burst(calls, call) {
    await Promise.all(Array.from({ length: calls }, call));
  },
};

function scenario(name, { method, seconds, rounds, calls, cold = true }) {
  return {
    name,
    method: `${method} ${MEASURED}`,
    rounds,
    warmUp: 0,
    seconds,
    metrics: {
      warm: 'time to interactive, warm',
      cold: 'time to interactive, cold',
      warmRemove: 'its removal, warm',
      coldRemove: 'its removal, cold',
      warmTotal: 'all results of a series, warm',
      coldTotal: 'all results of a series, cold',
    },

    async run({ sides, open, rounds, record, attempt }) {
      const series = sides
        .filter((side) => side !== 'floor')
        .flatMap((side) => [
          { side, metric: 'warm', poolSize: WARM },
          ...(cold ? [{ side, metric: 'cold', poolSize: 0 }] : []),
        ]);
      for await (const round of rounds()) {
        for (const { side, metric, poolSize } of shuffled(series)) {
          const pool = await open(side, { poolSize, acquireTimeout: 0 });
          const removals = [];
          try {
            await quiet([pool]);
            let results = 0;
            const began = performance.now();
            let ended = began;
            await arrivals[name](calls, async () => {
              const container = await attempt(round, metric, side, () => interactive(pool));
              if (!container) {
                return {};
              }
              results += 1;
              ended = performance.now();
              const removal = attempt(round, `${metric}Remove`, side, () => container.destroy());
              removals.push(removal);
              // In an object: who awaits the call would await a bare promise with it.
              return { removal };
            });
            if (results === calls) record(round, `${metric}Total`, side, ended - began);
          } finally {
            await Promise.all(removals);
            await pool.close();
          }
        }
      }
    },
  };
}

/** Resolves with a container in which a script has run; one in which it failed is removed. */
async function interactive(pool) {
  const container = await pool.acquire();
  try {
    await hello.runIn(container);
    return container;
  } catch (error) {
    await container.destroy();
    throw error;
  }
}

module.exports = [
  scenario('sequential', {
    method: `Series of 10 calls one after another: each begins when the container of the one before is
      removed.`,
    rounds: 4,
    calls: 10,
    seconds: 45,
  }),
  scenario('staggered', {
    method: `Series of 20 calls, one every ${ARRIVAL_MS} ms, whether those before are done or not.`,
    rounds: 2,
    calls: 20,
    seconds: 56,
  }),
  scenario('burst', {
    method: `Series of 100 calls at once; the warm one only.`,
    rounds: 2,
    calls: 100,
    cold: false,
    seconds: 90,
  }),
];
