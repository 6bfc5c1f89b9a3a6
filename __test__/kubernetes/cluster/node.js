'use strict';

// The kubelet of one node is killed, or stands still.

const { Pools, settled, until } = require('../../support/engine');
const { begin, cluster, on, warm } = require('../../support/cluster');

const NODE = 'node2';
const pools = new Pools();
afterEach(pools.close);

const works = (promise) =>
  promise.then(
    () => true,
    () => false,
  );

/** A kubelet that has just been started says for a while that it is not ready. */
const initialize = (pool) => until(() => works(pool.initialize()), 120_000);

async function start(options) {
  const pool = pools.make({ ...options, ...on(NODE) });
  pool.on('error', () => {});
  await initialize(pool);
  await settled(pool);
  return pool;
}

test('killed and started again: warm pods outlive it, and what runs is lost and replaced', async () => {
  const pool = await start({ poolSize: 2 });
  const container = await pool.acquire();
  const { call } = await begin(container);
  await settled(pool);
  const before = warm(pool);
  await cluster.end(NODE, 'SIGKILL');
  try {
    await expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  } finally {
    await cluster.startKubelet(NODE);
  }
  const next = await pool.acquire();
  expect(before).toContain(next.id);
  expect((await next.execute('print("there")')).stdout).toBe('there');
  await Promise.all([container.destroy(), next.destroy()]);
  await settled(pool, 90_000);
});

test('stands still: a call there ends by its timeout, and pods on other nodes do not mind', async () => {
  const pool = await start({ poolSize: 1 });
  const other = pools.make({ poolSize: 1, ...on('node3') });
  await initialize(other);
  const container = await pool.acquire();
  await cluster.signal(NODE, 'SIGSTOP');
  try {
    const ended = await container.execute('print("never")', {}, [], { timeout: 3000 });
    expect(ended).toMatchObject({ reason: 'timeout' });
    await container.destroy();
    expect((await other.run('print("elsewhere")')).stdout).toBe('elsewhere');
  } finally {
    await cluster.signal(NODE, 'SIGCONT');
  }
  expect((await pool.run('print("again")')).stdout).toBe('again');
});
