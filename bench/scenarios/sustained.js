'use strict';

const { best, rateOf } = require('../ceiling');
const { toolCall } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const CLIENTS = 16;
const TRY_MS = 5000;
const MEASURE_MS = 15_000;

module.exports = {
  name: 'sustained',
  method: `${CLIENTS} clients, each of which makes one tool call after another with run(), on a pool of 2 without
    a deadline; calls are counted from the third second on, for ${MEASURE_MS / 1000} s. Beside it, in random order, clients that
    only create, start and remove containers by bare API calls, with the number of workers that did
    most of ${TRY_MS / 1000} s of each: "sleeping" containers are the engine's limit, those with the package's own
    interpreter booted in them that of the machine.`,
  rounds: { full: 4, quick: 1 },
  warmUp: 0,
  seconds: 270,
  needs: 'scientist-pool',
  metrics: {
    rate: { title: 'containers made, used and removed', unit: '/s' },
    workers: { title: 'best number of workers', unit: '' },
    call: 'one call among them, acquire to result',
  },

  async run({ open, rounds, record, ...context }) {
    const sleeping = await best(context, 'sleeping', TRY_MS);
    const booted = await best(context, 'booted', TRY_MS);
    for await (const round of rounds()) {
      record(round, 'workers', 'sleeping', sleeping.workers);
      record(round, 'workers', 'booted', booted.workers);
      const ways = {
        sleeping: () => rateOf(context, 'sleeping', sleeping.workers, MEASURE_MS),
        booted: () => rateOf(context, 'booted', booted.workers, MEASURE_MS),
        'scientist-pool': () =>
          ours(open, context, (ms) => record(round, 'call', 'scientist-pool', ms)),
      };
      for (const side of shuffled(Object.keys(ways))) {
        record(round, 'rate', side, await ways[side]());
      }
    }
  },
};

const LEAD_MS = 2000;

/** Calls a second, once the pool that was full at the start has been used up. */
async function ours(open, { signal }, record) {
  const pool = await open('scientist-pool', { acquireTimeout: 0 });
  try {
    await quiet([pool]);
    const began = performance.now();
    const from = began + LEAD_MS;
    const until = from + MEASURE_MS;
    let calls = 0;
    const client = async () => {
      while (performance.now() < until) {
        signal.throwIfAborted();
        const asked = performance.now();
        toolCall.check(await pool.run(toolCall));
        const answered = performance.now();
        if (answered >= from && answered < until) {
          calls += 1;
          record(answered - asked);
        }
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    return (calls * 1000) / MEASURE_MS;
  } finally {
    await pool.close();
  }
}
