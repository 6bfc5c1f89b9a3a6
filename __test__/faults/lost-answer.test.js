'use strict';

// The engine does what it is asked, and its answer is lost on the way. A container is never made twice
// blindly, and none is left that nobody knows of (invariants 1 and 3).

const { containersOf, docker } = require('../support/docker');
const { until } = require('../support/engine');
const { CALLS } = require('../support/fake-bench');
const { useProxy } = require('../support/proxy-bench');

const bench = useProxy();
const { ATTACH, CREATE, CREATE_EXEC, REMOVE, START } = CALLS;

const lose = (call) => call.lose();

/** The ids of all containers the engine creates while the work runs. */
async function createdDuring(pool, work) {
  const label = [`test.pool=${pool.label}`];
  const events = await docker().getEvents({ filters: { label, event: ['create'] } });
  const ids = [];
  events.setEncoding('utf8').on('data', (text) => {
    for (const line of text.trim().split('\n')) ids.push(JSON.parse(line).id);
  });
  try {
    await work();
    // What the engine does, it tells in order: behind a container made now is nothing more to come.
    const { id } = await docker().createContainer({
      Image: 'busybox:stable',
      Labels: { 'test.pool': pool.label },
    });
    await docker().getContainer(id).remove();
    await until(() => ids.includes(id));
    return ids.filter((other) => other !== id);
  } finally {
    events.destroy();
  }
}

it('of a create: it is found by its name, and not made twice', async () => {
  const pool = bench.pool({ poolSize: 0 });
  bench.proxy.on(CREATE, lose, { times: 1 });
  let container;
  const created = await createdDuring(pool, async () => {
    container = await pool.acquire();
  });
  expect(created).toEqual([container.id]);
});

it('of a create, twice: the call fails, and the container is removed by its name', async () => {
  const pool = bench.pool({ poolSize: 0 });
  bench.proxy.on(CREATE, lose, { times: 2 });
  const created = await createdDuring(pool, async () => {
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await until(async () => (await containersOf(pool)).length === 0);
  });
  expect(created).toHaveLength(1);
});

it('of a create, cut in the middle: the same', async () => {
  const pool = bench.pool({ poolSize: 0 });
  bench.proxy.on(CREATE, (call) => call.cut('answer', 120), { times: 1 });
  let container;
  const created = await createdDuring(pool, async () => {
    container = await pool.acquire();
  });
  expect(created).toEqual([container.id]);
});

it.each([
  ['start', START],
  ['attach', ATTACH],
])('of a %s: the container is removed, and the next one works', async (_, route) => {
  const pool = bench.pool({ poolSize: 0 });
  bench.proxy.on(route, lose, { times: 1 });
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  await until(async () => (await containersOf(pool)).length === 0);
  expect(await pool.run('print(1)')).toMatchObject({ stdout: '1' });
});

it('of a removal: it is confirmed, and the container gone', async () => {
  const pool = bench.pool({ poolSize: 0 });
  const container = await pool.acquire();
  bench.proxy.on(REMOVE, lose, { times: 1 });
  await container.destroy().catch(({ code }) => expect(code).toBe('ENGINE_UNAVAILABLE'));
  await until(() => pool.stats().destroying === 0);
  await container.destroy();
  expect(await containersOf(pool)).toEqual([]);
});

it('of an exec: the call fails, and the container goes with its holder', async () => {
  const pool = bench.pool({ poolSize: 0 });
  const container = await pool.acquire();
  container.execute('import time\ntime.sleep(600)').catch(() => {});
  bench.proxy.on(CREATE_EXEC, lose, { times: 1 });
  await expect(container.execute('print(1)')).rejects.toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
  });
  await container.destroy();
  expect(await containersOf(pool)).toEqual([]);
});
