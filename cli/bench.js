'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { ContainerPoolManager } = require('..');
const { PoolError, invalid } = require('../lib');
const { containerOptions, withEngine } = require('./engine');
const { paint } = require('./paint');
const { printable, printableJson } = require('./printable');
const { StatusLine } = require('./status-line');
const { layOut } = require('./table');

const options = { ...containerOptions, n: { type: 'string', default: '20' } };

function fault([extra]) {
  return extra === undefined ? undefined : `bench takes no ${extra}`;
}

const SCRIPT = 'print("hello")';
/** Waits for its container to be ended. */
const ENDLESS = 'import time\ntime.sleep(86400)';
/** ms between two looks at whether a pool has come to rest. */
const PACE = 2;
/** Characters of the longest bar. */
const WIDEST = 30;

/** The ms that an action took, which must have come to the greeting. */
async function time(action) {
  const began = performance.now();
  const { stdout, reason, path } = await action();
  const ms = performance.now() - began;
  if (stdout.trim() === 'hello') return { ms, path };
  throw new PoolError('INTERNAL_ERROR', `a script that prints hello ended with ${reason}`);
}

/** Waits until a pool makes and removes nothing, and has its warm containers. */
async function rest(pool) {
  for (;;) {
    const { warm, creating, destroying, totals } = pool.stats();
    if (warm >= pool.poolSize && creating === 0 && destroying === 0) return;
    if (totals.errors > 0) await pool.initialize();
    await sleep(PACE);
  }
}

/** A container for a call, and its removal, which the time leaves out. */
async function timeLease(pool) {
  let container;
  try {
    return await time(async () => {
      container = await pool.acquire();
      return container.execute(SCRIPT);
    });
  } finally {
    await container?.destroy();
  }
}

/** A call while another one runs in the same container: by the engine's exec, with a new interpreter. */
async function timeExec(pool) {
  const container = await pool.acquire();
  const blocker = container.execute(ENDLESS, {}, [], { timeout: 0 }).catch(() => undefined);
  try {
    return await time(() => container.execute(SCRIPT, {}, []));
  } finally {
    await container.destroy();
    await blocker;
  }
}

/** What is measured, in the order of the table; the ratios are to the first. */
const STEPS = [
  ['acquire, execute: warm pool', ({ warm }) => timeLease(warm)],
  ['run: warm pool', ({ warm }) => time(() => warm.run(SCRIPT))],
  ['exec in a running container', ({ warm }) => timeExec(warm)],
  ['acquire, execute: on demand', ({ cold }) => timeLease(cold)],
  ['run: on demand', ({ cold }) => time(() => cold.run(SCRIPT))],
];

/** A quantile by linear interpolation (type 7 of Hyndman and Fan, 1996). */
function quantile(sorted, p) {
  const at = (sorted.length - 1) * p;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at - Math.floor(at));
}

/** In ms, to the hundredth. */
function summarize(samples) {
  const sorted = Float64Array.from(samples).sort();
  const at = (p) => Math.round(quantile(sorted, p) * 100) / 100;
  return { n: sorted.length, min: at(0), p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Each step once in every round, so that what else the machine does falls on all of them alike. */
async function measure(pools, rounds, line) {
  const samples = STEPS.map(() => []);
  const paths = STEPS.map(() => new Set());
  // The first round warms up: the image's files, this process's code.
  for (let round = 0; round <= rounds; round += 1) {
    line.show(`round ${Math.max(round, 1)} of ${rounds}`);
    for (const [at, [, step]] of STEPS.entries()) {
      await Promise.all([rest(pools.warm), rest(pools.cold)]);
      const { ms, path } = await step(pools);
      paths[at].add(path);
      if (round > 0) samples[at].push(ms);
    }
  }
  line.wipe();
  const summaries = samples.map(summarize);
  return STEPS.map(([name], at) => ({
    name,
    path: [...paths[at]].join(', '),
    ...summaries[at],
    ratio: Math.round((summaries[at].p50 / summaries[0].p50) * 100) / 100,
  }));
}

function table(steps, colour) {
  const most = Math.max(...steps.map(({ p50 }) => p50));
  const head = ['ms', 'n', 'min', 'p50', 'p90', 'p99', 'ratio', 'path', 'p50'];
  const rows = steps.map(({ name, path, n, min, p50, p90, p99, ratio }) => [
    ...[name, `${n}`, ...[min, p50, p90, p99].map((ms) => ms.toFixed(1)), ratio.toFixed(1), path],
    '█'.repeat(Math.max(1, Math.round((p50 / most) * WIDEST))),
  ]);
  const [first, ...lines] = layOut([head, ...rows]);
  return `${[colour('bold', first), ...lines].join('\n')}\n`;
}

async function perform({ values, pool: given, io }) {
  if (!/^[1-9]\d{0,4}$/.test(values.n)) {
    throw invalid(`--n must be a whole number of rounds, 1 to 99999; got ${values.n}`);
  }
  return withEngine(given, io, async ({ pool: cold, engine, failure }) => {
    if (failure !== null) throw failure;
    const { address, version, cpus } = engine;
    if (!values.json) {
      const where = `${cold.image} on ${version} at ${address}, ${cpus} cores`;
      io.stdout.write(`${printable(where)}\n`);
    }
    const warm = new ContainerPoolManager({ ...given, poolSize: 1, handleSignals: true });
    try {
      await warm.initialize();
      const line = new StatusLine(io.stderr);
      const steps = await measure({ warm, cold }, Number(values.n), line);
      io.stdout.write(
        values.json
          ? `${printableJson({ engine: { address, version, cpus }, image: cold.image, unit: 'ms', steps })}\n`
          : table(steps, paint(io)),
      );
    } finally {
      await warm.shutdown({ grace: 0 });
    }
    return 0;
  });
}

module.exports = { fault, options, perform };
