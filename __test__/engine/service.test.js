'use strict';

// What the service that this package replaces did, under the names of its own tests.

const { Pools, idsOf, outside, settled, until } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

describe('initialize', () => {
  it('should pre-warm the pool to the configured size', async () => {
    const pool = pools.make({ poolSize: 3 });
    await pool.initialize();
    expect(pool.pool).toHaveLength(3);
    expect(pool.pool.map(({ status }) => status)).toEqual(['READY', 'READY', 'READY']);
    expect((await idsOf(pool)).sort()).toEqual(pool.pool.map(({ id }) => id).sort());
  });

  const itKeeps = outside().keepsImages ? it : it.skip;

  itKeeps('should pull image if not present', async () => {
    const image = `${process.env.SCIENTIST_POOL_TEST_REGISTRY}/busybox:stable`;
    await outside().removeImage(image);
    const pool = pools.make({ image, poolSize: 1 });
    await pool.initialize();
    expect(await outside().hasImage(image)).toBe(true);
    expect(pool.pool).toHaveLength(1);
  });

  it('shares one warm-up between concurrent calls, and a later call tops the pool up', async () => {
    const pool = pools.make({ poolSize: 2 });
    await Promise.all([pool.initialize(), pool.initialize(), pool.initialize()]);
    expect(pool.stats().totals.created).toBe(2);
    await pool.acquire();
    await pool.initialize();
    expect(pool.pool).toHaveLength(2);
  });

  it('opens the pool again after a shutdown', async () => {
    const pool = pools.make({ poolSize: 1 });
    await pool.initialize();
    await pool.shutdown();
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    await pool.initialize();
    await expect(pool.run('print(1)')).resolves.toMatchObject({ stdout: '1' });
  });
});

describe('acquire', () => {
  it('should return a container from the pool immediately', async () => {
    const pool = pools.make({ poolSize: 1 });
    await pool.initialize();
    const [ready] = pool.pool;
    const container = await pool.acquire();
    expect(container).toBe(ready);
    expect(pool.stats().totals).toMatchObject({ acquiredWarm: 1, acquiredOnDemand: 0 });
  });

  it('hands out the oldest first', async () => {
    const pool = pools.make({ poolSize: 3 });
    await pool.initialize();
    const before = pool.pool.map(({ id }) => id);
    const acquired = [];
    for (let i = 0; i < 3; i += 1) acquired.push((await pool.acquire()).id);
    expect(acquired).toEqual(before);
  });

  it('should trigger replenishment asynchronously', async () => {
    const pool = pools.make({ poolSize: 1 });
    await pool.initialize();
    const container = await pool.acquire();
    expect(pool.pool).toHaveLength(0);
    await settled(pool);
    expect(pool.pool).toHaveLength(1);
    expect(pool.pool[0].id).not.toBe(container.id);
  });

  it('should create a container on-demand if pool is empty', async () => {
    const pool = pools.make({ poolSize: 0 });
    const container = await pool.acquire();
    await expect(container.execute('print("on demand")')).resolves.toMatchObject({
      stdout: 'on demand',
    });
    expect(pool.stats().totals.acquiredOnDemand).toBe(1);
  });

  it('settles at exactly its size after a storm', async () => {
    const pool = pools.make({ poolSize: 2 });
    const calls = Array.from({ length: 12 }, (_, i) => pool.run(`print(${i})`));
    const results = await Promise.all(calls);
    expect(results.map(({ stdout }) => stdout)).toEqual(results.map((_, i) => `${i}`));
    await settled(pool);
    expect(await idsOf(pool)).toHaveLength(2);
  });

  it('lets callers beyond max wait in line, first come first served', async () => {
    const pool = pools.make({ poolSize: 0, max: 1 });
    const holder = await pool.acquire();
    const served = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const container = await pool.acquire();
      served.push(number);
      await container.destroy();
    });
    await until(() => pool.stats().waiting === 3);
    expect(await idsOf(pool)).toHaveLength(1);
    await holder.destroy();
    await Promise.all(waiting);
    expect(served).toEqual([1, 2, 3]);
  });

  it('gives up when its time is over, and says what to do', async () => {
    const pool = pools.make({ poolSize: 0, max: 1 });
    await pool.acquire();
    const late = pool.acquire({ timeout: 50 });
    await expect(late).rejects.toMatchObject({ code: 'ACQUIRE_TIMEOUT', timeout: 50 });
    expect(pool.stats()).toMatchObject({ waiting: 0, totals: { timeouts: 1 } });
  });

  it('ends with the reason of its signal', async () => {
    const pool = pools.make({ poolSize: 0, max: 1 });
    await pool.acquire();
    const controller = new AbortController();
    const waiting = pool.acquire({ signal: controller.signal });
    controller.abort(new Error('not any more'));
    await expect(waiting).rejects.toThrow('not any more');
    expect(pool.stats().waiting).toBe(0);
  });

  it('turns callers away when the line is full', async () => {
    const pool = pools.make({ poolSize: 0, max: 1, maxWaiting: 1 });
    await pool.acquire();
    const inLine = pool.acquire();
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' });
    const shutdown = pool.shutdown({ grace: 0 });
    await expect(inLine).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    await shutdown;
  });
});

describe('shutdown', () => {
  it('should destroy all containers in the pool', async () => {
    const pool = pools.make({ poolSize: 2 });
    await pool.initialize();
    const leased = await pool.acquire();
    await pool.shutdown({ grace: 0 });
    expect(await idsOf(pool)).toEqual([]);
    expect(leased.status).toBe('TERMINATED');
  });

  it('waits for what is still being created', async () => {
    const pool = pools.make({ poolSize: 2 });
    const initialize = pool.initialize();
    const outcome = initialize.catch(({ code }) => code);
    await until(() => pool.stats().creating > 0);
    await pool.shutdown();
    expect(await outcome).toBe('POOL_CLOSED');
    expect(await idsOf(pool)).toEqual([]);
  });

  it('gives the holders of containers their grace', async () => {
    const pool = pools.make({ poolSize: 1 });
    const container = await pool.acquire();
    const call = container.execute('import time\ntime.sleep(0.5)\nprint("done")');
    const shutdown = pool.shutdown({ grace: 20_000 });
    await expect(call).resolves.toMatchObject({ stdout: 'done' });
    await container.destroy();
    await shutdown;
  });

  it('waits for the removals that run() left behind it', async () => {
    const pool = pools.make({ poolSize: 1 });
    await pool.run('pass');
    await pool.shutdown();
    expect(await idsOf(pool)).toEqual([]);
  });

  it('is idempotent', async () => {
    const pool = pools.make({ poolSize: 1 });
    await pool.initialize();
    await Promise.all([pool.shutdown(), pool.shutdown()]);
    await pool.shutdown();
  });
});

describe('poolSize', () => {
  it('can be changed: the pool grows and shrinks to it', async () => {
    const pool = pools.make({ poolSize: 1 });
    await pool.initialize();
    pool.poolSize = 3;
    await settled(pool);
    expect(await idsOf(pool)).toHaveLength(3);
    pool.poolSize = 1;
    await settled(pool);
    expect(await idsOf(pool)).toHaveLength(1);
  });
});
