'use strict';

const { memoryOf } = require('../memory');
const { hello } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const WARM = 200;
const CALLS = 20;

module.exports = {
  name: 'many',
  method: `The package on both engines, one after the other in random order: ${CALLS} containers made on demand with
    none beside, then ${CALLS} with ${WARM} warm ones beside, then print("hello") in ${CALLS} of those. Memory is the
    proportional share (PSS) of all processes: with no container, and what one of ${WARM} adds. Each has a limit
    of 32 MiB, so that they fit.`,
  rounds: 1,
  warmUp: 0,
  seconds: 80,
  metrics: {
    ready: 'create to ready',
    execute: 'execute print("hello")',
    engine: { title: 'memory of the engine with no container', unit: 'KiB' },
    container: { title: 'memory of one warm container', unit: 'KiB' },
  },

  async run({ sides, open, rounds, record, attempt, ...context }) {
    for await (const round of rounds()) {
      for (const side of shuffled(sides.filter((name) => name in memoryOf))) {
        const pools = [];
        const opened = async (options) => {
          pools.push(await open(side, { memory: '32m', ...options }));
          return pools.at(-1);
        };
        const onDemand = await opened({ poolSize: 0 });
        const make = async (beside) => {
          for (let made = 0; made < CALLS; made += 1) {
            const name = `${side}, ${beside} beside`;
            const container = await attempt(round, 'ready', name, () => onDemand.acquire());
            await container?.destroy();
          }
        };
        try {
          await make('none');
          await quiet(pools);
          const alone = await memoryOf[side](context);
          const warm = await opened({ poolSize: WARM });
          await quiet(pools);
          record(round, 'engine', side, alone);
          record(round, 'container', side, ((await memoryOf[side](context)) - alone) / WARM);
          await make(WARM);
          const taken = [];
          while (taken.length < CALLS) taken.push(await warm.acquire());
          await quiet(pools);
          for (const container of taken) {
            await attempt(round, 'execute', side, () => hello.runIn(container));
          }
          await Promise.all(taken.map((container) => container.destroy()));
        } finally {
          await Promise.all(pools.map((pool) => pool.close()));
        }
      }
    }
  },
};
