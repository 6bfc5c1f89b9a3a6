'use strict';

// How the engine stands is known without asking it: from calls, from its events, and while it is down
// from one probe.

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { CREATE, PING } = CALLS;

/** What a pool is told of its engine, as it comes. */
function listen(pool) {
  const told = [];
  pool.on('engineState', (health) => told.push(health));
  return told;
}

it('an engine that goes away is down at once, and every pool on it is told, with the reason', async () => {
  const { engine } = bench;
  const [pool, other] = [bench.pool({ poolSize: 1 }), bench.pool({ poolSize: 0 })];
  await pool.initialize();
  expect(pool.stats().engine).toMatchObject({ state: 'healthy', address: engine.address });
  const told = [listen(pool), listen(other)];
  await engine.vanish();
  await until(() => told.every(({ length }) => length > 0));
  for (const [{ state, since, error }] of told) {
    expect(state).toBe('down');
    expect(since).toBeLessThanOrEqual(Date.now());
    expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  }
  expect(other.stats().engine).toMatchObject({ state: 'down', error: { name: 'PoolError' } });
  await engine.listen();
  await until(() => pool.stats().engine.state === 'healthy');
});

it('when it is back, its pools refill by themselves, and the first call works', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 2 });
  await pool.initialize();
  await engine.vanish();
  await until(() => pool.stats().engine.state === 'down' && pool.stats().warm === 0);
  await engine.listen();
  expect(await pool.run('x')).toMatchObject({ exitCode: 0 });
  await until(() => pool.stats().warm === 2);
  expect(pool.stats()).toMatchObject({ state: 'healthy', engine: { state: 'healthy' } });
});

it('a thousand calls to one that is down are a few probes', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  engine.on(PING, (call) => call.close());
  engine.on(CREATE, (call) => call.close());
  engine.containers[0].die();
  await until(() => pool.stats().engine.state === 'down');
  const before = engine.requests.length;
  const calls = Array.from({ length: 1000 }, () => pool.acquire());
  const settled = await Promise.allSettled(calls);
  expect(settled.every(({ reason }) => reason?.code === 'ENGINE_UNAVAILABLE')).toBe(true);
  expect(engine.requests.length - before).toBeLessThan(100);
  engine.off(PING).off(CREATE);
});

it('one whose creates fail is degraded until one succeeds', async () => {
  const { engine } = bench;
  engine.on(CREATE, (call) => call.refuse(500, 'no space left on device'), { times: 2 });
  const pool = bench.pool({ poolSize: 1 });
  const told = listen(pool);
  await expect(pool.initialize()).rejects.toMatchObject({ statusCode: 500 });
  await until(() => pool.stats().warm === 1);
  await until(() => told.length === 2);
  expect(told.map(({ state }) => state)).toEqual(['degraded', 'healthy']);
});

it('an outage is one error event, whatever it lasts', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 2 });
  await pool.initialize();
  const errors = [];
  pool.on('error', (error) => errors.push(error));
  await engine.vanish();
  await until(() => pool.stats().totals.errors >= 5);
  expect(errors).toMatchObject([{ code: 'ENGINE_UNAVAILABLE' }]);
  await engine.listen();
});

it('the death of a container of which only the events tell is noticed, and it is replaced', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  await until(() => engine.count('events') === 1);
  const [id] = engine.ids;
  engine.tell('die', id);
  await until(() => pool.stats().totals.lost === 1 && pool.stats().warm === 1);
  expect(pool.pool[0].id).not.toBe(id);
});

it('after a shutdown no connection is left to tell of anything', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  await until(() => engine.count('events') === 1);
  await pool.shutdown();
  await until(() => engine.followers === 0);
});
