'use strict';

const { dayOf } = require('../arrivals');
const { hello } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const SIZES = [0, 1, 2, 3, 4, 6];

module.exports = {
  name: 'day',
  method: `The package alone, on the local engine: how many warm containers does it take there? Each round is one
    second of a generated day of calls (bench/arrivals.js), drawn at random among those in which any came: as
    many calls at once as came in it, of print("hello"), on a pool of each size in random order, full and at rest.`,
  rounds: 200,
  seconds: 40,
  needs: 'local',
  metrics: { acquire: 'acquire', call: 'acquire to result' },

  async run({ open, rounds, record, attempt }) {
    const pools = [];
    try {
      for (const poolSize of SIZES) pools.push(await open('local', { poolSize }));
      const arrivals = dayOf();
      const perSecond = shuffled(
        [...new Set(arrivals)].map((at) => arrivals.filter((other) => other === at).length),
      );
      for await (const round of rounds()) {
        const calls = perSecond.at(round % perSecond.length);
        for (const pool of shuffled(pools)) {
          await quiet([pool]);
          const side = `pool of ${SIZES[pools.indexOf(pool)]}`;
          const call = async () => {
            const began = performance.now();
            const container = await pool.acquire();
            try {
              const acquired = performance.now();
              await hello.runIn(container);
              record(round, 'acquire', side, acquired - began);
            } finally {
              void container.destroy();
            }
          };
          await Promise.all(
            Array.from({ length: calls }, () => attempt(round, 'call', side, call)),
          );
        }
      }
    } finally {
      await Promise.all(pools.map((pool) => pool.close()));
    }
  },
};
