'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../support/until');

const bench = useFakeEngine();
const { ATTACH, CREATE, INSPECT, REMOVE, START } = CALLS;

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
    await until(() => pool.stats().state === 'degraded');
    expect(pool.stats().totals.errors).toBeGreaterThanOrEqual(1);
    expect(states.at(-1)).toBe('degraded');
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

describe('a create that is not answered', () => {
  it('does not keep acquire beyond its deadline', async () => {
    const { engine } = bench;
    const pool = bench.pool({ poolSize: 0 });
    await pool.initialize();
    const release = engine.hold(CREATE);
    const began = performance.now();
    await expect(pool.acquire({ timeout: 150 })).rejects.toMatchObject({
      code: 'ACQUIRE_TIMEOUT',
      timeout: 150,
    });
    // It would be half a minute, the time an engine has for a call.
    expect(performance.now() - began).toBeLessThan(5000);
    expect(pool.stats().totals.timeouts).toBe(1);
    release();
  });

  it('ends with the time an engine has for a call, and names the engine', async () => {
    bench.engine.on(CREATE, () => {});
    const engine = { host: bench.engine.address, timeout: 200 };
    await expect(bench.pool({ poolSize: 0, engine }).acquire()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      timeout: 200,
      message: expect.stringContaining(bench.engine.address),
    });
  });

  it('does not keep a shutdown for ever', async () => {
    bench.engine.on(CREATE, () => {});
    const pool = bench.pool({ engine: { host: bench.engine.address, timeout: 200 } });
    const acquire = pool.acquire({ timeout: 100 });
    await expect(acquire).rejects.toMatchObject({ code: 'ACQUIRE_TIMEOUT' });
    const began = performance.now();
    await pool.shutdown({ grace: 0 });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('fills the pool when it is answered late', async () => {
    const { engine } = bench;
    const release = engine.hold(CREATE);
    const pool = bench.pool({ poolSize: 1, max: 1 });
    const caller = new AbortController();
    const acquire = pool.acquire({ signal: caller.signal });
    await until(() => engine.count(CREATE) === 1);
    caller.abort(new Error('enough'));
    await expect(acquire).rejects.toThrow('enough');
    release();
    await until(() => pool.stats().warm === 1);
    expect(engine.made).toBe(1);
    expect((await pool.acquire()).id).toBe(engine.containers[0].id);
  });

  it('gives a container nobody needs, when it is answered late: it is destroyed', async () => {
    const { engine } = bench;
    const pool = bench.pool({ poolSize: 0 });
    await pool.initialize();
    const release = engine.hold(CREATE);
    await expect(pool.acquire({ timeout: 50 })).rejects.toMatchObject({ code: 'ACQUIRE_TIMEOUT' });
    release();
    await until(() => pool.stats().totals.destroyed === 1);
    expect(pool.stats()).toMatchObject({ warm: 0, creating: 0, leased: 0, destroying: 0 });
    expect(engine.ids).toEqual([]);
    expect(engine.made).toBe(1);
  });

  it('leaves nothing, when the engine does it after it was given up', async () => {
    const { engine } = bench;
    const release = engine.hold(CREATE);
    const pool = bench.pool({ poolSize: 0, engine: { host: engine.address, timeout: 100 } });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    // The engine knows none by that name yet; it is asked again.
    await until(() => engine.count(REMOVE) === 1);
    release();
    expect(engine.made).toBe(1);
    await until(() => engine.containers.length === 0);
    expect(engine.count(REMOVE)).toBeGreaterThanOrEqual(2);
  });
});

describe('a create whose answer is lost', () => {
  it('is found by its name, and not made twice', async () => {
    const { engine } = bench;
    engine.on(CREATE, (call) => call.lose(), { times: 1 });
    const container = await bench.pool({ poolSize: 0 }).acquire();
    expect(engine.made).toBe(1);
    expect(engine.ids).toEqual([container.id]);
    expect(engine.count(INSPECT)).toBe(1);
    const names = engine.requests.filter(({ route }) => route === CREATE).map((r) => r.query.name);
    expect(names[1]).toBe(names[0]);
  });

  it('is made when it was not', async () => {
    const { engine } = bench;
    engine.on(CREATE, (call) => call.close(), { times: 1 });
    await bench.pool({ poolSize: 0 }).acquire();
    expect(engine.made).toBe(1);
  });

  it('is no container left behind, when the second answer is lost too', async () => {
    const { engine } = bench;
    engine.on(CREATE, (call) => call.lose(), { times: 2 });
    const pool = bench.pool({ poolSize: 0 });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await until(() => engine.containers.length === 0);
    expect(engine.made).toBe(1);
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

  it.each([
    ['start', START],
    ['attach', ATTACH],
  ])('is removed when the answer to its %s is lost', async (_, call) => {
    const { engine } = bench;
    engine.on(call, (lost) => lost.lose(), { times: 1 });
    const pool = bench.pool({ poolSize: 0 });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await until(() => engine.containers.length === 0);
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

  it.each([
    ['created', CREATE],
    ['attached to', ATTACH],
    ['started', START],
  ])('is not left behind when its caller gives up while it is %s', async (_, call) => {
    const { engine } = bench;
    const release = engine.hold(call);
    const pool = bench.pool({ poolSize: 0 });
    const caller = new AbortController();
    const acquire = pool.acquire({ signal: caller.signal });
    await until(() => engine.count(call) === 1);
    caller.abort(new Error('enough'));
    await expect(acquire).rejects.toThrow('enough');
    release();
    await until(() => pool.stats().totals.destroyed === 1);
    expect(engine.ids).toEqual([]);
  });
});
