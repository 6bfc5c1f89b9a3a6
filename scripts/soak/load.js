'use strict';

// A process with a pool under load, which checks each answer. Its parent (`loader.js`) tells it to go on,
// to rest, and to end.

const { ContainerPoolManager, PoolError } = require('../..');
const { held } = require('../../harness/held');
const { until } = require('../../harness/until');
const { Random } = require('../../harness/random');

const [, , text] = process.argv;
const { engine, label, seed } = JSON.parse(text);

const LANES = 4;
const TIMEOUT = 5000;
const ACQUIRE_TIMEOUT = 10_000;
/** Beyond the two deadlines above: the engine's own for a call, several times. */
const HUNG = 60_000;

/** What a call may come to while faults go on. Whatever else is thrown is a fault of the package. */
const EXPECTED = new Set([
  'ACQUIRE_TIMEOUT',
  'CONTAINER_LOST',
  'CONTAINER_TERMINATED',
  'ENGINE_ERROR',
  'ENGINE_UNAVAILABLE',
]);

const random = new Random(seed);
const pool = new ContainerPoolManager({
  engine: { host: engine, timeout: 5000 },
  poolSize: 3,
  max: 10,
  acquireTimeout: ACQUIRE_TIMEOUT,
  labels: { 'test.soak': label },
});

/** How calls ended, by what they came to. */
const ends = {};
const wrong = [];
let resting = true;
let busy = 0;

/** A call that a fault kept from its answer until its deadline. */
class Late extends Error {
  code = 'timeout';
}

async function run(script, more) {
  const result = await pool.run(script, { timeout: TIMEOUT, ...more });
  if (result.reason === 'timeout' && more?.timeout === undefined) throw new Late();
  return result;
}

const is = (result, expected) =>
  Object.entries(expected).every(([name, value]) => result[name] === value);

/** What is asked of the pool: each makes a call and says whether its answer is right. */
const JOBS = [
  async (number) => is(await run(`print(${number})`), { stdout: String(number), exitCode: 0 }),
  async (number) => is(await run(`print(${number})`), { stdout: String(number), exitCode: 0 }),
  async () => is(await run('import sys\nsys.exit(7)'), { exitCode: 7, reason: 'exit' }),
  async () => is(await run('1/0'), { exitCode: 1, reason: 'exit' }),
  async () => {
    const { stdout } = await run('print("x" * (1 << 20))', { trim: false });
    return stdout.length === (1 << 20) + 1;
  },
  async () =>
    is(await run('import time\ntime.sleep(600)', { timeout: 300 }), { reason: 'timeout' }),
  async () => is(await run('import os\nos.kill(os.getpid(), 9)'), { signal: 'SIGKILL' }),
  async () => {
    const reason = new Error('aborted');
    const signal = AbortSignal.timeout(random.between(1, 200));
    const script = 'import time\ntime.sleep(600)';
    const error = await run(script, { signal }).catch((thrown) => thrown);
    if (error instanceof PoolError) throw error;
    return error === signal.reason || error === reason;
  },
  async () => {
    const container = await pool.acquire();
    await container.destroy();
    return container.status === 'TERMINATED';
  },
];

async function call(number) {
  const hung = setTimeout(() => wrong.push(`call ${number} has not ended`), HUNG);
  try {
    const right = await random.of(JOBS)(number);
    ends.ok = (ends.ok ?? 0) + 1;
    if (!right) wrong.push(`call ${number} has a wrong answer`);
  } catch (error) {
    ends[error.code] = (ends[error.code] ?? 0) + 1;
    const expected = error instanceof PoolError ? EXPECTED.has(error.code) : error instanceof Late;
    if (!expected) wrong.push(`${error.stack}${error.cause ? `\n${error.cause.stack}` : ''}`);
    // Who is turned away at once asks again a little later, as a caller would.
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    clearTimeout(hung);
  }
}

let calls = 0;
async function lane() {
  busy += 1;
  while (!resting) await call(calls++);
  busy -= 1;
}

const DEEDS = {
  go: () => {
    resting = false;
    for (let lanes = 0; lanes < LANES; lanes += 1) lane();
  },
  /** Ends the load, waits until the pool is at rest, and tells what the process then holds. */
  rest: async () => {
    resting = true;
    const atRest = () => {
      const { warm, creating, leased, destroying, poolSize } = pool.stats();
      return busy === 0 && warm === poolSize && creating + leased + destroying === 0;
    };
    const began = performance.now();
    await until(atRest, 2 * HUNG);
    return { ...held(), ms: performance.now() - began };
  },
  stats: () => ({ calls, ends, wrong, totals: pool.stats().totals }),
  end: async () => {
    await pool.shutdown();
    return { calls, ends, wrong, stats: pool.stats() };
  },
};

process.on('message', async ({ number, what }) => {
  try {
    process.send({ number, value: await DEEDS[what]() });
  } catch (error) {
    process.send({ number, error: `${error.stack} ${JSON.stringify(pool.stats())}` });
  }
});
process.on('disconnect', () => process.exit(1));
