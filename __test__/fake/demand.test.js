'use strict';

const { until } = require('../../harness/until');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

const runSideBySide = (pool, calls) =>
  Promise.all(Array.from({ length: calls }, () => pool.run('1')));

const warms = (pool, containers) => until(() => pool.stats().warm === containers);

test('a burst raises the size of a pool that follows demand, up to its maximum', async () => {
  const pool = bench.pool({ poolSize: { min: 1, max: 6 } });
  await pool.initialize();
  expect(pool.stats()).toMatchObject({
    warm: 1,
    poolSize: 1,
    poolSizeRange: { min: 1, max: 6 },
  });
  bench.engine.delay('start', 50);
  await runSideBySide(pool, 12);
  expect(pool.poolSize).toBe(6);
  await warms(pool, 6);
  const { acquiredWarm } = pool.stats().totals;
  await runSideBySide(pool, 6);
  expect(pool.stats().totals.acquiredWarm - acquiredWarm).toBe(6);
});

test('a fixed size stays, and reads as a range of one', async () => {
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  await runSideBySide(pool, 6);
  expect(pool.stats()).toMatchObject({ poolSize: 1, poolSizeRange: { min: 1, max: 1 } });
});

test('a pool can begin and cease to follow demand while it runs', async () => {
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  pool.poolSize = { min: 2, max: 5 };
  await warms(pool, 2);
  bench.engine.delay('start', 50);
  await runSideBySide(pool, 12);
  expect(pool.poolSize).toBe(5);
  pool.poolSize = 3;
  expect(pool.poolSize).toBe(3);
  await warms(pool, 3);
});
