'use strict';

// Creates fail, again and again. They are not tried in a storm, callers get the engine's own words,
// `stats()` says `degraded`, and the first success is noticed at once (invariants 4 and 6).

const { setTimeout: sleep } = require('node:timers/promises');

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { ATTACH, CREATE, START } = CALLS;

const broken = (call) => call.refuse(500, 'no space left on device');
const refusal = {
  code: 'ENGINE_ERROR',
  statusCode: 500,
  message: expect.stringContaining('no space left on device'),
};

describe('an engine that refuses to create', () => {
  it("gives every waiter the engine's own error", async () => {
    bench.engine.on(CREATE, broken);
    const pool = bench.pool();
    const calls = Array.from({ length: 5 }, () =>
      expect(pool.acquire()).rejects.toMatchObject(refusal),
    );
    await Promise.all(calls);
  });

  it('gives its error to initialize, and is degraded from then on', async () => {
    bench.engine.on(CREATE, broken);
    const pool = bench.pool();
    const states = [];
    const errors = [];
    pool.on('state', ({ state }) => states.push(state));
    pool.on('error', (error, { during }) => errors.push([error.message, during]));
    await expect(pool.initialize()).rejects.toMatchObject(refusal);
    // Events come behind what they tell of.
    await until(() => states.at(-1) === 'degraded');
    expect(pool.stats()).toMatchObject({ state: 'degraded' });
    expect(pool.stats().totals.errors).toBeGreaterThanOrEqual(1);
    expect(errors[0]).toEqual([refusal.message, 'create']);
  });

  it('is not stormed by the refill', async () => {
    const { engine } = bench;
    let atOnce = 0;
    let most = 0;
    engine.on(CREATE, async (call) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await sleep(5);
      atOnce -= 1;
      broken(call);
    });
    const pool = bench.pool({ poolSize: 10 });
    await expect(pool.initialize()).rejects.toMatchObject(refusal);
    await sleep(1000);
    // Three side by side at first; then one at a time, after 50, 100, 200, 400 … ms on average.
    expect(most).toBeLessThanOrEqual(3);
    expect(engine.count(CREATE)).toBeLessThanOrEqual(15);
  });

  it('is asked no more often than there are callers', async () => {
    const { engine } = bench;
    engine.on(CREATE, broken);
    const pool = bench.pool({ poolSize: 0 });
    const calls = Array.from({ length: 20 }, () => pool.acquire());
    await Promise.allSettled(calls);
    expect(engine.count(CREATE)).toBeLessThanOrEqual(20);
  });

  it('has its first success noticed: who asks then does not wait for the backoff', async () => {
    const { engine } = bench;
    engine.on(CREATE, broken);
    const pool = bench.pool();
    await expect(pool.initialize()).rejects.toMatchObject(refusal);
    await until(() => engine.count(CREATE) >= 5);
    engine.off(CREATE);
    const began = performance.now();
    await pool.acquire();
    expect(performance.now() - began).toBeLessThan(1000);
    await until(() => pool.stats().warm === 2);
    expect(pool.stats().state).toBe('healthy');
  });

  it('does not keep those from their containers who were served before', async () => {
    const { engine } = bench;
    engine.run = () => ({ stdout: 'fine' });
    const pool = bench.pool();
    await pool.initialize();
    engine.on(CREATE, broken);
    const containers = [await pool.acquire(), await pool.acquire()];
    await expect(pool.acquire()).rejects.toMatchObject(refusal);
    for (const container of containers) {
      expect(await container.execute('x')).toMatchObject({ stdout: 'fine' });
      await container.destroy();
    }
  });
});

describe('a container on its way', () => {
  it.each([
    ['start', START],
    ['attach', ATTACH],
  ])('is removed when the engine refuses to %s it, and the next one works', async (_, call) => {
    const { engine } = bench;
    engine.on(call, broken, { times: 1 });
    const pool = bench.pool({ poolSize: 0 });
    const error = await pool.acquire().catch((reason) => reason);
    expect(error).toMatchObject({ ...refusal, containerId: expect.stringMatching(/^\w{64}$/) });
    await until(() => engine.containers.length === 0);
    const container = await pool.acquire();
    expect(container.id).not.toBe(error.containerId);
  });

  it('is removed when something in between takes the upgrade away', async () => {
    const { engine } = bench;
    engine.on(ATTACH, (call) => call.answer(200, ''), { times: 1 });
    const pool = bench.pool({ poolSize: 0 });
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      message: expect.stringContaining('proxy'),
    });
    await until(() => engine.containers.length === 0);
  });
});
