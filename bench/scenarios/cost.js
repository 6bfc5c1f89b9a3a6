'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const os = require('node:os');
const path = require('node:path');
const { createInterface } = require('node:readline');

const { root } = require('../../harness/paths');

const WARM = 200;
/** What a real container that waits takes of the engine's machine at most, MiB. */
const REAL_MEMORY = 32;
/** As many on the real engine, where it has room for them. */
const WARM_ON_REAL = Math.min(WARM, Math.floor(os.freemem() / 2 ** 20 / REAL_MEMORY / 2));
const IDLE_MS = 5000;
/** Fresh processes are cheap, and no two start alike. */
const LOADS = 5;

module.exports = {
  name: 'cost',
  method: `What the package itself costs, in processes of their own on a fake engine in another one. Loading:
    ${LOADS} fresh processes a round. Warm: ${WARM} containers against 2, after a rest; then ${IDLE_MS / 1000} s in which
    nothing happens; then each is acquired. The same with ${WARM_ON_REAL} on the real engine
    (${WARM} where there is room).`,
  rounds: { full: 3, quick: 1 },
  warmUp: 0,
  seconds: 300,
  needs: 'scientist-pool',
  metrics: {
    require: "require('scientist-pool')",
    binding: 'the native binding, loaded with the first pool',
    acquire: { title: 'acquire, warm', unit: 'µs' },
    memory: { title: 'resident memory of one warm container', unit: 'KiB' },
    threads: { title: 'threads of all of them, beyond those of 2', unit: '' },
    idle: { title: 'processor time with nothing to do', unit: '% of a core' },
  },

  async run({ rounds, record, image, labels, signal }) {
    const fake = spawnProgram('bench/cost/engine.js', [], signal);
    try {
      const address = await fake.answer;
      const warm = (options) =>
        run('harness/footprint.js', [JSON.stringify(options), IDLE_MS], signal);
      for await (const round of rounds()) {
        for (let load = 0; load < LOADS; load += 1) {
          const times = await run('bench/cost/load.js', [], signal);
          for (const metric of ['require', 'binding'])
            record(round, metric, 'fresh', times[metric]);
        }
        const sides = [
          ['fake engine', { engine: address, poolSize: WARM }],
          ['real engine', { image, labels, memory: `${REAL_MEMORY}m`, poolSize: WARM_ON_REAL }],
        ];
        for (const [side, options] of sides) {
          const { acquire, ...figures } = await warm(options);
          for (const us of acquire) record(round, 'acquire', side, us);
          for (const [metric, value] of Object.entries(figures)) record(round, metric, side, value);
        }
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
