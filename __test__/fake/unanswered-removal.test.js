'use strict';

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../support/until');

const bench = useFakeEngine();
const { REMOVE } = CALLS;

/** A pool on an engine that answers no removal, and a container of it that does not end by itself. */
async function stuck() {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 0, engine: { host: engine.address, timeout: 200 } });
  const container = await pool.acquire();
  engine.containers[0].lifeline = false;
  engine.on(REMOVE, () => {});
  return { pool, container };
}

it('a destroy ends with the time an engine has for a call, and goes on behind', async () => {
  const { engine } = bench;
  const { pool, container } = await stuck();
  const began = performance.now();
  await expect(container.destroy()).rejects.toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
    containerId: container.id,
    timeout: 200,
  });
  expect(performance.now() - began).toBeLessThan(5000);
  expect(pool.stats().destroying).toBe(1);
  engine.off(REMOVE);
  await until(() => pool.stats().destroying === 0);
  await container.destroy();
  expect(engine.ids).toEqual([]);
});

it('a shutdown comes to its end within half a minute, and names what is left', async () => {
  const { engine } = bench;
  const { pool, container } = await stuck();
  const began = performance.now();
  await expect(pool.shutdown({ grace: 0 })).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    message: expect.stringContaining(container.id),
  });
  expect(performance.now() - began).toBeLessThan(45_000);
  expect(pool.stats().state).toBe('closed');
  // What the shutdown could not do is done here: there is nothing for it to be asked again.
  bench.pools.length = 0;
  engine.containers[0].die();
}, 60_000);
