'use strict';

// Containers die without being asked to. It is noticed, told of, and made good (invariant 6); none that
// is dead is handed out knowingly, and whoever got one hears of it (4).

const { containersOf, docker } = require('../support/docker');
const { Pools, settled } = require('../support/engine');
const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { CREATE } = CALLS;

describe('a warm container of a real engine', () => {
  const pools = new Pools();
  afterEach(pools.close);

  /** Fills the memory of a container, from outside and as root, until the kernel kills in it. */
  async function exhaust(id) {
    // A tmpfs counts as memory that no kill gives back.
    const exec = await docker()
      .getContainer(id)
      .exec({ User: '0', Cmd: ['dd', 'if=/dev/zero', 'of=/tmp/full', 'bs=1M', 'count=60'] });
    (await exec.start({})).resume();
  }

  it.each([
    ['killed', (id) => docker().getContainer(id).kill()],
    ['stopped', (id) => docker().getContainer(id).stop({ t: 1 })],
    ['removed', (id) => docker().getContainer(id).remove({ force: true })],
  ])('that is %s from outside is told of as lost, and replaced', async (_, end) => {
    const pool = pools.make({ poolSize: 2 });
    await pool.initialize();
    const [{ id: victim }, { id: survivor }] = pool.pool;
    const lost = [];
    pool.on('lost', ({ id }) => lost.push(id));
    await end(victim);
    await until(() => lost.length === 1);
    expect(lost).toEqual([victim]);
    await settled(pool);
    const warm = pool.pool.map(({ id }) => id);
    expect(warm).toContain(survivor);
    expect(warm).not.toContain(victim);
    await until(async () => (await containersOf(pool)).length === 2);
    expect(await pool.run('print(1)')).toMatchObject({ stdout: '1' });
  });

  it('whose memory runs out is lost and replaced, or fit for work', async () => {
    const pool = pools.make({ poolSize: 1, memory: '24m', pidsLimit: 200 });
    await pool.initialize();
    const [{ id: victim }] = pool.pool;
    await exhaust(victim);
    // The kernel chooses whom it kills. PID 1 takes the container with it; the parked interpreter alone
    // is made anew.
    const outcome = await pool.run('print("fit")').catch((error) => error);
    expect(outcome.stdout ?? outcome.code).toMatch(/^(fit|CONTAINER_LOST|)$/);
    await settled(pool);
    expect(await pool.run('print("fit")')).toMatchObject({ stdout: 'fit' });
  });

  it('that dies in the instant of the acquire ends no call otherwise than as lost', async () => {
    const pool = pools.make({ poolSize: 2 });
    await pool.initialize();
    for (let round = 0; round < 6; round += 1) {
      await settled(pool);
      const victims = pool.pool.map(({ id }) => id);
      const killed = Promise.all(victims.map((id) => docker().getContainer(id).kill()));
      const calls = victims.map(async () => {
        const container = await pool.acquire();
        const result = await container.execute('print("alive")').catch((error) => error);
        if (!victims.includes(container.id)) expect(result).toMatchObject({ stdout: 'alive' });
        else if (result instanceof Error) expect(result).toMatchObject({ code: 'CONTAINER_LOST' });
        else expect(result).toMatchObject({ stdout: 'alive' });
        await container.destroy();
      });
      // From at once to some turns of the loop later.
      for (let turn = 0; turn < round; turn += 1) await new Promise(setImmediate);
      await Promise.all([killed, ...calls]);
    }
  });
});

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
