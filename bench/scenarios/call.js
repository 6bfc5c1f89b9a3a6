'use strict';

const { toolCall } = require('../jobs');
const { callInSteps, quiet, shuffled } = require('../timing');

/** Every how many rounds the package also makes the call in steps. */
const STEPS_EVERY = 2;

module.exports = {
  name: 'call',
  method: `One tool call at a time on pools of 2, each with its own refill running beside it as in real
    use; before each the pools are full and the engine at rest. "acquire to result" is
    acquire + execute for the baseline and run() for the package; "whole call" is
    acquire + execute + destroy on both sides.`,
  rounds: { full: 200, quick: 20 },
  sampled: true,
  seconds: 170,
  metrics: { run: 'run: acquire to result', whole: 'whole call: acquire, execute, destroy' },

  async run({ sides, open, rounds, record, attempt }) {
    const pools = new Map();
    try {
      for (const side of sides.filter((name) => name !== 'floor')) {
        pools.set(side, await open(side));
      }
      for await (const round of rounds()) {
        for (const { side, steps } of shuffled(waysOf(pools, round))) {
          await quiet([...pools.values()]);
          const pool = pools.get(side);
          if (!steps) {
            await attempt(round, 'run', side, async () => toolCall.check(await pool.run(toolCall)));
            continue;
          }
          const times = await attempt(round, 'whole', side, () => callInSteps(pool, toolCall));
          if (times && side === 'baseline') {
            record(round, 'run', side, times.resultMs);
          }
        }
      }
    } finally {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    }
  },
};

function waysOf(pools, round) {
  return [
    { side: 'baseline', steps: true },
    { side: 'scientist-pool', steps: false },
    ...(round % STEPS_EVERY === 0 ? [{ side: 'scientist-pool', steps: true }] : []),
  ].filter(({ side }) => pools.has(side));
}
