'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { createInterface } = require('node:readline');

const { root } = require('../../harness/paths');

const WARM = 200;
const IDLE_MS = 5000;
/** Fresh processes are cheap, and no two start alike. */
const LOADS = 5;

module.exports = {
  name: 'cost',
  method: `What the package itself costs, in processes of their own on a fake engine in another one. Loading:
    ${LOADS} fresh processes a round. Warm: ${WARM} containers against 2, after a rest; then ${IDLE_MS / 1000} s in which
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
      const options = JSON.stringify({ engine: address, poolSize: WARM });
      for await (const round of rounds()) {
        for (let load = 0; load < LOADS; load += 1) {
          const times = await run('bench/cost/load.js', [], signal);
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

/** Runs a program to its end; gives what it tells. */
async function run(file, args, signal) {
  const program = spawnProgram(file, args, signal);
  try {
    return await program.answer;
  } finally {
    await program.end();
  }
}

/** Starts one. Its answer is the first line that it writes; it ends by itself, or with its stdin. */
function spawnProgram(file, args, signal) {
  const child = spawn(process.execPath, [path.join(root, file), ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
  });
  const closed = once(child, 'close');
  const answer = Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => JSON.parse(line)),
    closed.then(([code]) => {
      throw new Error(`${file} ended with ${code} and told nothing`);
    }),
  ]);
  // Whoever started it sees both; a stopped measurement looks at neither.
  answer.catch(() => {});
  closed.catch(() => {});
  return {
    answer,
    end() {
      child.stdin.end();
      return closed;
    },
  };
}
