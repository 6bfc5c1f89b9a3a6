'use strict';

const assert = require('node:assert/strict');

const { OWN } = require('../sides');
const { shuffled } = require('../timing');

module.exports = {
  name: 'session',
  method: `The package on both engines: one session each, whose runs take turns in random order, each print("hello").`,
  rounds: 200,
  sampled: true,
  seconds: 10,
  metrics: { run: 'a run of a session, print("hello")' },

  async run({ sides, open, rounds, attempt }) {
    const opened = [];
    try {
      for (const side of sides.filter((name) => OWN.includes(name))) {
        const pool = await open(side, { poolSize: 0 });
        const container = await pool.acquire();
        opened.push({ side, pool, container, session: await container.session() });
      }
      for await (const round of rounds()) {
        for (const { side, session } of shuffled(opened)) {
          await attempt(round, 'run', side, async () => {
            const { stdout } = await session.run('print("hello")');
            assert.equal(stdout, 'hello');
          });
        }
      }
    } finally {
      await Promise.all(
        opened.map(async ({ pool, container }) => {
          await container.destroy();
          await pool.close();
        }),
      );
    }
  },
};
