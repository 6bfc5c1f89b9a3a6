'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const { shuffled } = require('../timing');

const BETWEEN_MS = 20;

module.exports = {
  name: 'mounts',
  method: `The package on the local engine: containers made on demand, one at a time in random order, with a folder of
    this machine in them and without.`,
  rounds: 100,
  sampled: true,
  seconds: 20,
  needs: 'local',
  metrics: { ready: 'create to ready' },

  async run({ open, rounds, attempt }) {
    const source = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-mounts-'));
    const pools = {};
    try {
      pools['without a mount'] = await open('local', { poolSize: 0 });
      const mounts = [{ source, target: '/data' }];
      pools['with one'] = await open('local', { poolSize: 0, mounts });
      for await (const round of rounds()) {
        for (const [side, pool] of shuffled(Object.entries(pools))) {
          const container = await attempt(round, 'ready', side, () => pool.acquire());
          await pause(BETWEEN_MS);
          await container?.destroy();
          await pause(BETWEEN_MS);
        }
      }
    } finally {
      await Promise.all(Object.values(pools).map((pool) => pool.close()));
      fs.rmSync(source, { recursive: true });
    }
  },
};
