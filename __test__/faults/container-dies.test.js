'use strict';

// Containers die without being asked to. It is noticed, told of, and made good (invariant 6); none that
// is dead is handed out knowingly, and whoever got one hears of it (4).

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../support/until');

const bench = useFakeEngine();
const { CREATE } = CALLS;

describe('a warm container that dies', () => {
  it('is noticed, told of, and replaced', async () => {
    const { engine } = bench;
    const pool = bench.pool();
    await pool.initialize();
    const [victim, survivor] = pool.pool;
    const lost = [];
    pool.on('lost', ({ id }) => lost.push(id));
    engine.containers.find(({ id }) => id === victim.id).die();
    await until(() => pool.stats().warm === 2 && lost.length === 1);
    expect(lost).toEqual([victim.id]);
    const ids = pool.pool.map(({ id }) => id);
    expect(ids).toContain(survivor.id);
    expect(ids).not.toContain(victim.id);
    expect(victim.status).toBe('TERMINATED');
    expect(pool.stats().totals).toMatchObject({ lost: 1, created: 3 });
  });

  it('is not handed out after that', async () => {
    const { engine } = bench;
    engine.run = () => ({ stdout: 'alive' });
    const pool = bench.pool({ poolSize: 1 });
    await pool.initialize();
    const [victim] = engine.containers;
    victim.die();
    await until(() => pool.stats().totals.lost === 1);
    const container = await pool.acquire();
    expect(container.id).not.toBe(victim.id);
    expect(await container.execute('x')).toMatchObject({ stdout: 'alive' });
  });

  it('in the instant of the acquire is exchanged or ends the call as lost, and never hangs it', async () => {
    const { engine } = bench;
    engine.run = () => ({ stdout: 'alive' });
    const pool = bench.pool({ poolSize: 1 });
    await pool.initialize();
    for (let round = 0; round < 20; round += 1) {
      await until(() => pool.stats().warm === 1);
      const [victim] = engine.containers;
      victim.die();
      // From at once to some turns of the loop later: the news is somewhere on its way.
      for (let turn = 0; turn < round % 4; turn += 1) await new Promise(setImmediate);
      const container = await pool.acquire();
      const result = await container.execute('x').catch((error) => error);
      if (container.id === victim.id) expect(result).toMatchObject({ code: 'CONTAINER_LOST' });
      else expect(result).toMatchObject({ stdout: 'alive' });
      await container.destroy();
    }
  });
});

it('containers that die as soon as they are ready are not made in a tight loop', async () => {
  const { engine } = bench;
  engine.boot = ({ container }) => {
    setTimeout(() => container.die(), 20);
    return {};
  };
  const pool = bench.pool();
  await pool.initialize();
  await until(() => pool.stats().state === 'degraded');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(engine.count(CREATE)).toBeLessThanOrEqual(20);
  engine.boot = () => ({});
  await until(() => pool.stats().warm === 2);
});

it('a leased container that dies is told of, and its removal is a success', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 0 });
  const container = await pool.acquire();
  const lost = [];
  pool.on('lost', ({ id }) => lost.push(id));
  engine.containers[0].die();
  await until(() => lost.length === 1);
  expect(container.status).toBe('TERMINATED');
  await expect(container.execute('x')).rejects.toMatchObject({
    code: expect.stringMatching(/^CONTAINER_(LOST|TERMINATED)$/),
    containerId: container.id,
  });
  await container.destroy();
  expect(pool.stats()).toMatchObject({ leased: 0, destroying: 0 });
});
