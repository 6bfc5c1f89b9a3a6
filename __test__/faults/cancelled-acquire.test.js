'use strict';

// A caller is gone before it has its container: it cancels, its time is up, or its thread ends, while
// the pool waits for the engine anywhere on the way. No container leaks (invariants 1 and 3), and the
// next caller is served as if nothing had been (4).

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');

const { program } = require('../support/children');
const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();

const POINTS = [
  'GET /_ping',
  'GET /info',
  'GET /containers/json',
  'GET /images/:name/json',
  'POST /images/create',
  'POST /containers/create',
  'POST /containers/:id/attach',
  'POST /containers/:id/start',
  'boot',
];

/** Keeps the engine from going beyond a point: `reached()` says if it is there; `release()`. */
function stopAt(point) {
  const { engine } = bench;
  if (point === CALLS.PULL) engine.images.clear();
  if (point !== 'boot') {
    const release = engine.hold(point);
    return { release, reached: () => engine.count(point) > 0 };
  }
  const waiting = [];
  engine.boot = () => new Promise((resolve) => waiting.push(resolve));
  const release = () => {
    engine.boot = () => ({});
    for (const resolve of waiting) resolve({});
  };
  return { release, reached: () => waiting.length > 0 };
}

/** Nothing is under way, nothing is there, and the next call works. */
async function allWell(pool) {
  const { engine } = bench;
  await until(() => {
    const { warm, creating, leased, destroying, waiting } = pool.stats();
    return warm + creating + leased + destroying + waiting === 0;
  });
  await until(() => engine.ids.length === 0);
  const container = await pool.acquire();
  expect(engine.ids).toEqual([container.id]);
  await container.destroy();
}

describe.each(POINTS)('while the engine is at %s', (point) => {
  it.each(['acquire', 'run'])('%s is cancelled', async (method) => {
    const pool = bench.pool({ poolSize: 0 });
    const { release, reached } = stopAt(point);
    const { signal, abort } = cancellation();
    const call = method === 'run' ? pool.run('x', { signal }) : pool.acquire({ signal });
    const rejected = expect(call).rejects.toThrow('enough');
    await until(reached);
    abort();
    await rejected;
    expect(pool.stats().waiting).toBe(0);
    release();
    await allWell(pool);
  });

  it('acquire passes its deadline', async () => {
    const pool = bench.pool({ poolSize: 0 });
    const { release, reached } = stopAt(point);
    const call = pool.acquire({ timeout: 100 });
    await expect(call).rejects.toMatchObject({ code: 'ACQUIRE_TIMEOUT', timeout: 100 });
    await until(reached);
    release();
    await allWell(pool);
  });

  it('three acquires, and the pool is shut down', async () => {
    const pool = bench.pool({ poolSize: 0 });
    const { release, reached } = stopAt(point);
    const calls = Array.from({ length: 3 }, () =>
      expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_CLOSED' }),
    );
    await until(reached);
    const shutdown = pool.shutdown();
    await Promise.all(calls);
    release();
    await shutdown;
    expect(bench.engine.ids).toEqual([]);
  });
});

it.each(POINTS.slice(-4))('a thread ends while the engine is at %s for it', async (point) => {
  const { engine } = bench;
  const { release, reached } = stopAt(point);
  const workerData = { engine: engine.address };
  const worker = new Worker(program('acquirer'), { workerData });
  await once(worker, 'message');
  await until(reached);
  await worker.terminate();
  release();
  // A container that was only made has no lifeline yet. It is removed by who asked for it, or by the
  // next process; this one still runs, so here it is the former.
  await until(() => engine.ids.length === 0);
});

/** A signal, and what aborts it. */
function cancellation() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) };
}
