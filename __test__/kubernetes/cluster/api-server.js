'use strict';

// The API server is started again, or stands still. It carries the streams of all pods.

const { Pools, settled, until } = require('../../support/engine');
const { begin, cluster, warm, withoutApiServer } = require('../../support/cluster');

const pools = new Pools();
afterEach(pools.close);

/** A pool whose pods are there, and the ids of those. */
async function start(options) {
  const pool = pools.make(options);
  pool.on('error', () => {});
  await pool.initialize();
  await settled(pool);
  return { pool, before: warm(pool) };
}

test('killed and started again: warm pods outlive it, and what runs is lost and replaced', async () => {
  const { pool, before } = await start({ poolSize: 4 });
  const container = await pool.acquire();
  const { call } = await begin(container);
  await settled(pool);
  const kept = before.filter((id) => id !== container.id);
  await withoutApiServer(() => expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST' }));
  const results = await Promise.all([1, 2, 3].map((n) => pool.run(`print(${n})`)));
  expect(results.map(({ stdout }) => stdout)).toEqual(['1', '2', '3']);
  await settled(pool);
  const { lost, created } = pool.stats().totals;
  expect({ lost, kept: kept.length }).toEqual({ lost: 1, kept: 3 });
  // Three that were there, one for the lost one, and three for the calls.
  expect(created).toBeLessThanOrEqual(8);
});

test('killed and started again: a container on lease that has run nothing runs its first call', async () => {
  const { pool } = await start({ poolSize: 1 });
  const container = await pool.acquire();
  await withoutApiServer();
  expect((await container.execute('print("there")')).stdout).toBe('there');
});

test('killed: a call that comes before it is back settles by then, or is lost by its deadline', async () => {
  const { pool } = await start({ poolSize: 1 });
  const container = await pool.acquire();
  const { call } = await withoutApiServer(() => ({
    call: container.execute('print("late")').catch((error) => error),
  }));
  const result = await call;
  expect(result.stdout ?? result.code).toMatch(/^(late|CONTAINER_LOST)$/);
  await container.destroy();
  await settled(pool);
});

test('stands still: calls end by their timeout, others by their deadline, and all goes on after that', async () => {
  const { pool } = await start({ poolSize: 2 });
  const container = await pool.acquire();
  await settled(pool);
  await cluster.signal('apiserver', 'SIGSTOP');
  try {
    const ended = await container.execute('print("never", flush=True)', {}, [], { timeout: 3000 });
    expect(ended).toMatchObject({ reason: 'timeout' });
    const others = Array.from({ length: 4 }, () => pool.acquire({ timeout: 3000 }));
    const settledOnes = await Promise.allSettled(others);
    const refused = settledOnes.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) {
      expect(reason.code).toMatch(/^(ACQUIRE_TIMEOUT|ENGINE_UNAVAILABLE)$/);
    }
    for (const { value } of settledOnes) value?.destroy().catch(() => {});
  } finally {
    await cluster.signal('apiserver', 'SIGCONT');
  }
  await until(async () => (await pool.run('print(1)').catch(() => null))?.stdout === '1', 90_000);
  await settled(pool);
});
