'use strict';

const { useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();

it('callers are served in the order of their calls', async () => {
  // One at a time: with more, two that are served in the same moment may tell of it in any order.
  const pool = bench.pool({ poolSize: 0, max: 1 });
  await pool.initialize();
  const served = [];
  const call = async (_, number) => {
    const container = await pool.acquire();
    served.push(number);
    await container.destroy();
  };
  const calls = Array.from({ length: 200 }, call);
  await Promise.all(calls);
  expect(served).toEqual(served.toSorted((a, b) => a - b));
});

it('a caller is in line as soon as it has called', async () => {
  const pool = bench.pool({ poolSize: 0, max: 1 });
  await pool.initialize();
  const container = await pool.acquire();
  const turnedAway = Promise.allSettled(Array.from({ length: 100 }, () => pool.acquire()));
  expect(pool.stats().waiting).toBe(100);
  const shutdown = pool.shutdown({ grace: 0 });
  await turnedAway;
  await shutdown;
  await until(() => container.status === 'TERMINATED');
});

it('a shutdown is closed to whoever comes after its call, and not only once it is under way', async () => {
  const pool = bench.pool();
  await pool.initialize();
  for (let round = 0; round < 20; round += 1) {
    const shutdown = pool.shutdown();
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    await shutdown;
    await pool.initialize();
  }
});

it('a container is busy as soon as it executes, and terminated as soon as it is destroyed', async () => {
  const pool = bench.pool({ poolSize: 0 });
  for (let round = 0; round < 20; round += 1) {
    const container = await pool.acquire();
    const call = container.execute('x');
    expect(container.status).toBe('BUSY');
    await call;
    const destroy = container.destroy();
    expect(container.status).toBe('TERMINATED');
    await destroy;
  }
});
