'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { root } = require('../../harness/paths');
const { layOut } = require('../../harness/published');
const { spawnProgram } = require('../program');

const WARM = 200;
const IDLE_MS = 5000;
/** Fresh processes are cheap, and no two start alike. */
const LOADS = 5;

module.exports = {
  name: 'cost',
  method: `What the package itself costs, in processes of their own on a fake engine in another one. Loading:
    ${LOADS} fresh processes a round, of what is published. Warm: ${WARM} containers against 2, after a rest; then ${IDLE_MS / 1000} s in which
    nothing happens; then each is acquired.`,
  rounds: 2,
  warmUp: 0,
  seconds: 25,
  needs: 'scientist-pool',
  metrics: {
    require: "require('scientist-pool')",
    binding: 'the native binding, loaded with the first pool',
    acquire: { title: 'acquire, warm', unit: 'µs' },
    memory: { title: 'resident memory of one warm container', unit: 'KiB' },
    threads: { title: 'threads of all of them, beyond those of 2', unit: '' },
    idle: { title: 'processor time with nothing to do', unit: '% of a core' },
  },

  async run({ rounds, record, signal }) {
    const fake = spawnProgram('bench/cost/engine.js', [], signal);
    try {
      const address = await fake.answer;
      const published = await publish();
      const options = JSON.stringify({ engine: address, poolSize: WARM });
      for await (const round of rounds()) {
        for (let load = 0; load < LOADS; load += 1) {
          const times = await run('bench/cost/load.js', [published], signal);
          for (const metric of ['require', 'binding'])
            record(round, metric, 'fresh', times[metric]);
        }
        const { acquire, ...figures } = await run(
          'harness/footprint.js',
          [options, IDLE_MS],
          signal,
        );
        for (const us of acquire) record(round, 'acquire', 'warm', us);
        for (const [metric, value] of Object.entries(figures)) record(round, metric, 'warm', value);
      }
    } finally {
      await fake.end();
    }
  },
};

/** Lays out what is published, with this machine's binary beside it; gives its folder. */
async function publish() {
  const folder = path.join(root, 'target', 'published');
  const binaries = fs.readdirSync(root).filter((name) => name.endsWith('.node'));
  await layOut(folder, ['package.json', 'index.js', ...binaries]);
  return folder;
}

/** Runs a program to its end; gives what it tells. */
async function run(file, args, signal) {
  const program = spawnProgram(file, args, signal);
  try {
    return await program.answer;
  } finally {
    await program.end();
  }
}
