'use strict';

const { setTimeout: pause } = require('node:timers/promises');

const { hello } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const CALLS = 100;
const QUICK_CALLS = 10;
/** How many containers are ready when a warm series begins; in a cold one, none is and none is kept. */
const WARM = { sequential: 2, staggered: 2, burst100: 20 };
const ARRIVAL_MS = 200;

const MEASURED = `"Time to interactive" is from the request for a container to the result of print("hello")
  in it: acquire + execute on both sides; the removal is timed by itself. Warm: a pool that is full at the
  start. Cold: a pool of size 0, each container made on demand. The series take turns in random order, each
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
  async burst100(calls, call) {
    await Promise.all(Array.from({ length: calls }, call));
  },
};

function scenario(name, { method, seconds, rounds, calls }) {
  return {
    name,
    method: `${method} ${MEASURED} Warm pools have ${WARM[name]} containers.`,
    rounds: { full: rounds, quick: 1 },
    warmUp: 0,
    seconds,
    metrics: {
      warm: 'time to interactive, warm',
      cold: 'time to interactive, cold',
      warmRemove: 'its removal, warm',
      coldRemove: 'its removal, cold',
      warmRate: { title: 'results a second, warm', unit: '/s' },
      coldRate: { title: 'results a second, cold', unit: '/s' },
    },

    async run({ sides, open, rounds, quick, record, attempt }) {
      const series = sides
        .filter((side) => side !== 'floor')
        .flatMap((side) => [
          { side, metric: 'warm', poolSize: WARM[name] },
          { side, metric: 'cold', poolSize: 0 },
        ]);
      const count = quick ? QUICK_CALLS : calls;
      for await (const round of rounds()) {
        for (const { side, metric, poolSize } of shuffled(series)) {
          const pool = await open(side, { poolSize });
          const removals = [];
          try {
            await quiet([pool]);
            let results = 0;
            const began = performance.now();
            let ended = began;
            await arrivals[name](count, async () => {
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
            if (results > 0) {
              record(round, `${metric}Rate`, side, (results * 1000) / (ended - began));
            }
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
    method: `${CALLS} calls one after another, in four series of ${CALLS / 4}: each begins when the container of the
      one before is removed.`,
    rounds: 4,
    calls: CALLS / 4,
    seconds: 160,
  }),
  scenario('staggered', {
    method: `${CALLS} calls, one every ${ARRIVAL_MS} ms (${1000 / ARRIVAL_MS} a second), whether those before are done or not.`,
    rounds: 1,
    calls: CALLS,
    seconds: 150,
  }),
  scenario('burst100', {
    method: `${CALLS} calls at once.`,
    rounds: 1,
    calls: CALLS,
    seconds: 170,
  }),
];
