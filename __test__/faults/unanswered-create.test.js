'use strict';

// A create is not answered, or not in time. Its caller keeps its deadline (invariant 4), and what the
// engine makes of it after all is pooled or removed (3).

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { CREATE, REMOVE } = CALLS;

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

  it('is made when the engine had not heard of it', async () => {
    const { engine } = bench;
    engine.on(CREATE, (call) => call.close(), { times: 1 });
    await bench.pool({ poolSize: 0 }).acquire();
    expect(engine.made).toBe(1);
  });
});
