'use strict';

// The engine takes its time. An acquire keeps its deadline (invariant 4), and a container that comes
// after that is pooled or destroyed, never lost (3).

const { containersOf } = require('../support/docker');
const { settled, until } = require('../support/engine');
const { CALLS } = require('../support/fake-bench');
const { useProxy } = require('../support/proxy-bench');

const bench = useProxy();
const { CREATE, REMOVE, START } = CALLS;

const late = { code: 'ACQUIRE_TIMEOUT', timeout: 200 };

it.each([
  ['create', CREATE],
  ['start', START],
])('a %s that takes longer than its caller waits fills the pool', async (_, route) => {
  const pool = bench.pool({ poolSize: 1, max: 1 });
  const release = bench.proxy.hold(route);
  await expect(pool.acquire({ timeout: 200 })).rejects.toMatchObject(late);
  release();
  await settled(pool);
  const [{ id }] = pool.pool;
  expect((await containersOf(pool)).map(({ Id }) => Id)).toEqual([id]);
  expect((await pool.acquire()).id).toBe(id);
  expect(pool.stats().totals).toMatchObject({ created: 1, timeouts: 1 });
});

it.each([
  ['create', CREATE],
  ['start', START],
])('a %s that nobody waits for any more is destroyed', async (_, route) => {
  const pool = bench.pool({ poolSize: 0 });
  const release = bench.proxy.hold(route);
  await expect(pool.acquire({ timeout: 200 })).rejects.toMatchObject(late);
  release();
  await until(() => pool.stats().totals.destroyed === 1);
  expect(await containersOf(pool)).toEqual([]);
});

it('a create beyond createTimeout is given up, and leaves nothing when it comes after all', async () => {
  const pool = bench.pool({ poolSize: 0, createTimeout: 300 });
  const release = bench.proxy.hold(START);
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_ERROR', timeout: 300 });
  release();
  await until(async () => (await containersOf(pool)).length === 0);
});

it('removals that take their time count against max until they are done', async () => {
  const pool = bench.pool({ poolSize: 0, max: 1 });
  const container = await pool.acquire();
  const release = bench.proxy.hold(REMOVE);
  const destroyed = container.destroy();
  await until(() => bench.proxy.count(REMOVE) === 1);
  await expect(pool.acquire({ timeout: 200 })).rejects.toMatchObject(late);
  expect(pool.stats()).toMatchObject({ destroying: 1, creating: 0 });
  release();
  await destroyed;
  await (await pool.acquire()).destroy();
});
