'use strict';

// What becomes of a pool of the local engine when the interpreter that its own are forked from does not do what
// it should.

const { processes } = require('../../harness/processes');
const { Pools, RUNTIME, address, until } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

const forks = address() === 'local' && !RUNTIME;

/** No two interpreters that were booted have it in common. */
const SEED = 'print(hash("x"))';
const seedOf = async (pool) => (await pool.run(SEED)).stdout;

/** Its process: as deep below this one as the first processes of containers, whose interpreters are below them. */
function templateOf() {
  const all = processes();
  const below = (parents) => all.filter(({ parent }) => parents.some(({ pid }) => pid === parent));
  const launchers = below(below([process]));
  return below(launchers).find(({ command }) => command.startsWith('python3')).pid;
}

async function upOn(pool) {
  await seedOf(pool);
  await until(() => pool.stats().template.state === 'ready');
  return seedOf(pool);
}

(forks ? describe : describe.skip)('a template', () => {
  const make = (options) => pools.make({ poolSize: 0, template: true, ...options });

  it('is forked by one container after the other', async () => {
    const pool = make();
    const told = [];
    pool.on('template', ({ state }) => told.push(state));
    const before = Date.now();
    const seed = await upOn(pool);
    expect(await seedOf(pool)).toBe(seed);
    const { since, ...stats } = pool.stats().template;
    expect(stats).toEqual({ state: 'ready', forks: expect.any(Number), reason: null });
    expect(stats.forks).toBeGreaterThanOrEqual(2);
    expect(since).toBeGreaterThanOrEqual(before);
    expect(told).toEqual(['starting', 'ready']);
  });

  it('has forks that draw nothing alike', async () => {
    const pool = make({ preload: ['random', 'secrets', 'ssl', 'tempfile', 'uuid'] });
    const draws = [
      ...['random.random()', 'secrets.token_hex()', 'uuid.uuid4()', 'uuid.uuid1()'],
      ...['os.path.basename(tempfile.mkdtemp())', 'ssl.RAND_bytes(8).hex()'],
    ];
    await upOn(pool);
    const { forks: before } = pool.stats().template;
    const drawn = draws.map(() => new Set());
    for (let round = 0; round < 100; round += 1) {
      const { stdout } = await pool.run(
        `import os, random, secrets, ssl, tempfile, uuid\nprint(${draws.join(', ')})`,
      );
      for (const [at, value] of stdout.split(' ').entries()) drawn[at].add(value);
    }
    expect(drawn.map(({ size }) => size)).toEqual(draws.map(() => 100));
    expect(pool.stats().template.forks - before).toBeGreaterThanOrEqual(99);
  });

  it("has forks with their pool's capabilities, and the calls that these allow", async () => {
    const pool = make({ user: '0:0', capAdd: ['SYS_ADMIN'] });
    await upOn(pool);
    const { forks: before } = pool.stats().template;
    const name = 'import socket\nsocket.sethostname("renamed")\nprint(socket.gethostname())';
    expect(await pool.run(name)).toMatchObject({ exitCode: 0, stdout: 'renamed' });
    expect(pool.stats().template.forks).toBeGreaterThan(before);
  });

  it('that is killed is replaced', async () => {
    const pool = make();
    const seed = await upOn(pool);
    process.kill(templateOf(), 'SIGKILL');
    await until(() => pool.stats().template.state === 'none');
    expect(pool.stats().template.reason).toBe('it died');
    const next = await upOn(pool);
    expect(next).not.toBe(seed);
    expect(await seedOf(pool)).toBe(next);
  });

  it('that is stopped holds up no more than the containers of one moment, and is replaced', async () => {
    const pool = make();
    const seed = await upOn(pool);
    const told = [];
    pool.on('template', ({ state, reason }) => told.push([state, reason]));
    process.kill(templateOf(), 'SIGSTOP');
    let slow = 0;
    while (told.length === 0) {
      const began = performance.now();
      await seedOf(pool);
      if (performance.now() - began > 900) slow += 1;
    }
    // That which was begun ahead, and the one after it.
    expect(slow).toBeLessThanOrEqual(2);
    expect(told[0]).toEqual(['none', 'it did not answer within 2s']);
    expect(await upOn(pool)).not.toBe(seed);
  });

  it('that can not be had is told with its reason', async () => {
    const reasons = [
      [{ template: false }, 'off', 'the option template is false'],
      [{ noNewPrivileges: false }, 'off', 'the option noNewPrivileges is false'],
      [{ image: 'busybox:stable' }, 'refused', 'the image has no python3'],
    ];
    for (const [options, state, reason] of reasons) {
      const pool = make(options);
      const container = await pool.acquire();
      await until(() => pool.stats().template.state === state);
      expect(pool.stats().template).toMatchObject({ forks: 0, reason });
      await container.destroy();
    }
  });
});

(forks ? it.skip : it)('an engine without templates tells of none', async () => {
  const pool = pools.make({ poolSize: 0, template: true });
  await pool.run('pass');
  const { template } = pool.stats();
  expect(RUNTIME ? template.reason : template).toBe(
    RUNTIME ? 'an OCI runtime makes the containers' : null,
  );
});
