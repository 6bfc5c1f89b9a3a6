'use strict';

// What becomes of one pod while nobody asks for it.

const { Pools, outside, settled, until } = require('../../support/engine');
const { begin, podNamed, warm } = require('../../support/cluster');

const pools = new Pools();
afterEach(pools.close);

async function start() {
  const pool = pools.make({ poolSize: 1 });
  await pool.initialize();
  return pool;
}

test('deleted by hand while a call runs: that is lost, and the pod replaced', async () => {
  const pool = await start();
  const container = await pool.acquire();
  const { call } = await begin(container);
  await outside().kill(container.id);
  await expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST', containerId: container.id });
  await container.destroy();
  await settled(pool);
});

test('deleted by hand while it is warm: it is given to nobody, and replaced', async () => {
  const pool = await start();
  const [before] = warm(pool);
  await outside().kill(before);
  await until(() => warm(pool).length === 1 && !warm(pool).includes(before));
  expect((await pool.run('print(1)')).stdout).toBe('1');
  expect(pool.stats().totals.lost).toBe(1);
});

test('a script that is killed for memory ends as oom, and its pod is replaced', async () => {
  const pool = await start();
  const result = await pool.run('data = b"x" * (1 << 30)');
  expect(result).toMatchObject({ reason: 'oom' });
  await settled(pool);
});

test('no script sees another one’s pod, and what it wrote is in no log', async () => {
  const pool = await start();
  const container = await pool.acquire();
  await container.execute('print("secret" * 1000)');
  const { metadata } = await podNamed(container.id);
  const log = await outside().request('GET', `pods/${metadata.name}/log`, { text: true });
  expect(log).toBe('');
});
