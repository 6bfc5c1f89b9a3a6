'use strict';

// etcd is killed and started again. No stream goes through it; but without it nothing is made, found or removed.

const { Pools, settled } = require('../../support/engine');
const { cluster, podNamed } = require('../../support/cluster');

const pools = new Pools();
afterEach(pools.close);

/** Ends by itself, some seconds after it has begun. */
const LASTING = 'import time\nprint("begun", flush=True)\ntime.sleep(3)\nprint("done")';

test('killed and started again: calls go on, warm pods outlive it, and the pool recovers by itself', async () => {
  const pool = pools.make({ poolSize: 2 });
  pool.on('error', () => {});
  const running = await pool.acquire();
  await settled(pool);
  let call;
  await new Promise((resolve, reject) => {
    call = running.execute(LASTING, {}, [], { onStdout: resolve });
    call.catch(reject);
  });
  await cluster.end('etcd', 'SIGKILL');
  let kept;
  try {
    expect((await call).stdout).toBe('begun\ndone');
    const container = await pool.acquire();
    expect((await container.execute('print(6 * 7)')).stdout).toBe('42');
    kept = await pool.acquire();
    // There is no other, and none can be made.
    await expect(pool.acquire({ timeout: 3000 })).rejects.toMatchObject({
      code: expect.stringMatching(/^(ACQUIRE_TIMEOUT|ENGINE_UNAVAILABLE|ENGINE_ERROR)$/),
    });
    for (const used of [running, container]) used.destroy().catch(() => {});
  } finally {
    await cluster.restartEtcd();
  }
  expect((await kept.execute('print("there")')).stdout).toBe('there');
  expect((await podNamed(kept.id)).status.phase).toBe('Running');
  await kept.destroy();
  await settled(pool, 90_000);
  expect((await pool.run('print(1)')).stdout).toBe('1');
  expect(pool.stats().totals.lost).toBe(0);
});
