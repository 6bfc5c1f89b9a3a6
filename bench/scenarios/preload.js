'use strict';

const { HEAVY_MODULES, hello, heavyImport } = require('../jobs');
const { quiet, shuffled } = require('../timing');

/** Every how many rounds the import is also made without a preload, to show what it costs. */
const COLD_EVERY = 4;

module.exports = {
  name: 'preload',
  method: `The package alone, with preload: [${HEAVY_MODULES.map((name) => `'${name}'`).join(', ')}].
    Each round executes print("hello") and the same with an import of all these modules in front of
    it, in random order, each in a container of its own, with full pools and the engine at rest;
    every ${COLD_EVERY}th round also the import in a container without the preload.`,
  rounds: { full: 200, quick: 20 },
  sampled: true,
  seconds: 110,
  needs: 'scientist-pool',
  metrics: { execute: 'execute with preload' },

  async run({ open, rounds, attempt }) {
    const pools = [];
    try {
      const preloaded = await open('scientist-pool', { preload: HEAVY_MODULES });
      pools.push(preloaded);
      const bare = await open('scientist-pool', { poolSize: 1 });
      pools.push(bare);
      for await (const round of rounds()) {
        const cases = [
          { name: 'no import', pool: preloaded, job: hello },
          { name: 'import, preloaded', pool: preloaded, job: heavyImport },
          ...(round % COLD_EVERY === 0
            ? [{ name: 'import, not preloaded', pool: bare, job: heavyImport }]
            : []),
        ];
        await quiet(pools);
        for (const one of cases) {
          one.container = await one.pool.acquire();
        }
        await quiet(pools);
        for (const { name, container, job } of shuffled(cases)) {
          await attempt(round, 'execute', name, () => job.runIn(container));
        }
        await Promise.all(cases.map(({ container }) => container.destroy()));
      }
    } finally {
      await Promise.all(pools.map((pool) => pool.close()));
    }
  },
};
