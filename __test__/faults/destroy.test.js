'use strict';

// Containers are destroyed twice, together, during a call, after they are gone, and by an engine that
// fails at it. It is one removal and a success, and none is forgotten (invariants 2 and 3).

const { PoolError } = require('../..');
const { containersOf, docker } = require('../support/docker');
const { Pools } = require('../support/engine');
const { CALLS, never, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { INSPECT, REMOVE } = CALLS;

const acquire = () => bench.pool({ poolSize: 0 }).acquire();

it('ten concurrent destroys are one removal', async () => {
  const { engine } = bench;
  const container = await acquire();
  await Promise.all(Array.from({ length: 10 }, () => container.destroy()));
  await container.destroy();
  expect(engine.count(REMOVE)).toBe(1);
});

it('a container that the engine knows no more is destroyed', async () => {
  const { engine } = bench;
  const container = await acquire();
  engine.containers[0].die();
  await container.destroy();
  expect(container.status).toBe('TERMINATED');
});

it('a removal that somebody else has begun is waited for', async () => {
  const { engine } = bench;
  const container = await acquire();
  const [made] = engine.containers;
  made.lifeline = false;
  const inProgress = `removal of container ${container.id} is already in progress`;
  engine.on(REMOVE, (call) => call.refuse(409, inProgress));
  let destroyed = false;
  const destroy = container.destroy().then(() => {
    destroyed = true;
  });
  await until(() => engine.count(INSPECT) >= 3);
  expect(destroyed).toBe(false);
  made.die();
  await destroy;
  expect(engine.count(REMOVE)).toBe(1);
});

it('a removal that fails twice and then works is a success', async () => {
  const { engine } = bench;
  const container = await acquire();
  engine.containers[0].lifeline = false;
  engine.on(REMOVE, (call) => call.refuse(500, 'device or resource busy'), { times: 2 });
  await container.destroy();
  expect(engine.ids).toEqual([]);
});

it('a removal that keeps failing is told, tried again behind, and counted until it is done', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 0 });
  const container = await pool.acquire();
  engine.containers[0].lifeline = false;
  const errors = [];
  pool.on('error', (error, { during }) => errors.push([during, error.containerId]));
  engine.on(REMOVE, (call) => call.refuse(500, 'device or resource busy'));
  await expect(container.destroy()).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    statusCode: 500,
    containerId: container.id,
  });
  expect(pool.stats()).toMatchObject({ destroying: 1, leased: 0 });
  engine.off(REMOVE);
  await until(() => pool.stats().destroying === 0);
  expect(engine.ids).toEqual([]);
  expect(errors).toEqual([['destroy', container.id]]);
  await container.destroy();
});

it('a removal whose answer is lost is confirmed by the next call', async () => {
  const { engine } = bench;
  const container = await acquire();
  engine.on(REMOVE, (call) => call.lose(), { times: 1 });
  await container.destroy().catch((error) => {
    expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE', containerId: container.id });
  });
  await until(() => engine.count(REMOVE) === 2);
  await container.destroy();
});

it('a destroy ends a running call with CONTAINER_TERMINATED', async () => {
  const { engine } = bench;
  let begun = false;
  engine.run = () => {
    begun = true;
    return never();
  };
  const container = await acquire();
  const call = container.execute('x');
  await until(() => begun);
  const destroy = container.destroy();
  await expect(call).rejects.toMatchObject({
    code: 'CONTAINER_TERMINATED',
    containerId: container.id,
  });
  await destroy;
  expect(engine.ids).toEqual([]);
});

it('run has its answer before the removal is confirmed, and shutdown waits for that', async () => {
  const { engine } = bench;
  engine.run = () => ({ stdout: 'out' });
  const release = engine.hold(REMOVE);
  const pool = bench.pool({ poolSize: 0 });
  expect(await pool.run('x')).toMatchObject({ stdout: 'out' });
  let closed = false;
  const shutdown = pool.shutdown().then(() => {
    closed = true;
  });
  await until(() => engine.count(REMOVE) === 1);
  expect(closed).toBe(false);
  release();
  await shutdown;
  expect(engine.ids).toEqual([]);
});

it('a removal that is not answered ends with the time an engine has for a call, and goes on behind', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 0, engine: { host: engine.address, timeout: 200 } });
  const container = await pool.acquire();
  engine.containers[0].lifeline = false;
  engine.on(REMOVE, () => {});
  await expect(container.destroy()).rejects.toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
    containerId: container.id,
    timeout: 200,
  });
  expect(pool.stats().destroying).toBe(1);
  engine.off(REMOVE);
  await until(() => pool.stats().destroying === 0);
  await container.destroy();
  expect(engine.ids).toEqual([]);
});

describe('on a real engine, a destroy', () => {
  const pools = new Pools();
  let pool;
  beforeEach(() => {
    pool = pools.make({ poolSize: 1 });
  });
  afterEach(pools.close);

  it('returns when the engine lists the container no more', async () => {
    const container = await pool.acquire();
    await container.destroy();
    expect(container.status).toBe('TERMINATED');
    const listed = (await containersOf(pool)).map(({ Id }) => Id);
    expect(listed).not.toContain(container.id);
  });

  it('ten times at once is one, and once more is nothing', async () => {
    const container = await pool.acquire();
    await Promise.all(Array.from({ length: 10 }, () => container.destroy()));
    await container.destroy();
    expect(pool.stats().totals.destroyed).toBe(1);
  });

  it('of one that the engine has removed is a success', async () => {
    const container = await pool.acquire();
    await docker().getContainer(container.id).remove({ force: true });
    await Promise.all([container.destroy(), container.destroy()]);
    await container.destroy();
  });

  it('of one that the engine is removing is a success, when it is gone', async () => {
    const container = await pool.acquire();
    // Whichever removal comes second may be told so.
    const theirs = docker()
      .getContainer(container.id)
      .remove({ force: true })
      .then(
        () => 'removed',
        ({ statusCode }) => statusCode,
      );
    await container.destroy();
    expect((await containersOf(pool)).map(({ Id }) => Id)).not.toContain(container.id);
    expect(['removed', 404, 409]).toContain(await theirs);
  });

  it('ends a running call with CONTAINER_TERMINATED', async () => {
    const container = await pool.acquire();
    const call = container.execute('import time\ntime.sleep(600)');
    const expected = expect(call).rejects.toMatchObject({
      code: 'CONTAINER_TERMINATED',
      containerId: container.id,
    });
    await container.destroy();
    await expected;
    await expect(call).rejects.toThrow(PoolError);
  });
});
