'use strict';

const assert = require('node:assert/strict');
const { monitorEventLoopDelay } = require('node:perf_hooks');

const { shuffled, quiet } = require('../timing');

const WRITERS = 20;
const MIB = 2 ** 20;
/** Below the limit on collected output, which would end a writer. */
const EACH = 8 * MIB;

const SCRIPT = `
import os
left = ${EACH}
while left:
    left -= os.write(1, b"x" * min(left, 65536))
`;

/** How each side takes the output; the service that the baseline stands for could only collect it. */
const WAYS = [
  { side: 'baseline', from: 'baseline', take: (container) => container.execute(SCRIPT) },
  {
    side: 'scientist-pool',
    from: 'scientist-pool',
    take: (container) => container.execute(SCRIPT),
  },
  { side: 'scientist-pool, onStdout', from: 'scientist-pool', take: stream },
];

module.exports = {
  name: 'writers',
  method: `${WRITERS} containers at once, each writing ${EACH / MIB} MiB to its stdout as fast as it can: collected into
    the result by both sides, and passed on piece by piece, which the baseline does not do. The delay of the
    event loop is Node's monitorEventLoopDelay at a resolution of 1 ms, from which that millisecond is taken.`,
  rounds: 2,
  warmUp: 0,
  seconds: 30,
  metrics: {
    p99: "event loop's delay, p99 of a round",
    longest: 'its longest',
    total: 'all output taken',
  },

  async run({ sides, open, rounds, record }) {
    const ways = WAYS.filter(({ from }) => sides.includes(from));
    for await (const round of rounds()) {
      for (const { side, from, take } of shuffled(ways)) {
        // Nothing is refilled behind the writers.
        const pool = await open(from, { poolSize: 0 });
        try {
          await measure(pool, take, (metric, value) => record(round, metric, side, value));
        } finally {
          await pool.close();
        }
      }
    }
  },
};

async function measure(pool, take, record) {
  const containers = [];
  while (containers.length < WRITERS) containers.push(await pool.acquire());
  await quiet([pool]);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const started = performance.now();
  delay.enable();
  const results = await Promise.all(containers.map((container) => take(container)));
  delay.disable();
  record('total', performance.now() - started);
  record('p99', Math.max(0, delay.percentile(99) / 1e6 - 1));
  record('longest', Math.max(0, delay.max / 1e6 - 1));
  for (const { stdout, exitCode } of results) {
    assert.equal(exitCode, 0);
    assert.equal(stdout.length, EACH);
  }
  await Promise.all(containers.map((container) => container.destroy()));
}

async function stream(container) {
  let length = 0;
  const onStdout = (text) => {
    length += text.length;
  };
  const { exitCode } = await container.execute(SCRIPT, {}, [], { onStdout, collect: false });
  return { exitCode, stdout: { length } };
}
