'use strict';

// There is no way to the engine: its socket is gone, closed to this user, or not where it is said to be.
// Every call says so, with the address and what to do, and none hangs (invariant 4); when there is a
// way again, the same pool finds it (6).

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

const { containersOf } = require('../support/docker');
const { settled, until } = require('../support/engine');
const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { runNode } = require('../support/node');
const { useProxy } = require('../support/proxy-bench');

const bench = useFakeEngine();
const { PING } = CALLS;

const unavailable = (address = bench.engine.address) => ({
  code: 'ENGINE_UNAVAILABLE',
  message: expect.stringContaining(address),
});

describe('a socket that vanishes', () => {
  const behind = useProxy();

  it('is named by who needs the engine, and used again when it is back', async () => {
    const { proxy } = behind;
    const pool = behind.pool();
    await pool.initialize();
    const [first, second] = [await pool.acquire(), await pool.acquire()];
    await settled(pool);
    proxy.hide();
    proxy.reset({ streams: false });
    // Who has a container, or finds a warm one, needs no more than its stream.
    expect(await first.execute('print("leased")')).toMatchObject({ stdout: 'leased' });
    expect(await (await pool.acquire()).execute('print("warm")')).toMatchObject({ stdout: 'warm' });
    await pool.acquire();
    await expect(pool.acquire()).rejects.toMatchObject(unavailable(proxy.address));
    await expect(second.destroy()).rejects.toMatchObject(unavailable(proxy.address));
    proxy.show();
    await settled(pool);
    expect(await pool.run('print("back")')).toMatchObject({ stdout: 'back' });
    await second.destroy();
  });

  it('with all its connections costs what was warm, and nothing else', async () => {
    const { proxy } = behind;
    const pool = behind.pool();
    await pool.initialize();
    proxy.hide();
    proxy.reset();
    await until(() => pool.stats().warm === 0);
    await expect(pool.acquire({ timeout: 5000 })).rejects.toMatchObject(unavailable(proxy.address));
    expect(pool.stats().state).toBe('degraded');
    proxy.show();
    await settled(pool);
    expect(await pool.run('print("back")')).toMatchObject({ stdout: 'back' });
    await until(() => pool.stats().state === 'healthy');
    await until(async () => (await containersOf(pool)).length === 2);
  });
});

describe('an engine that is not there', () => {
  it('is named, with what to do, by every call', async () => {
    await bench.engine.vanish();
    const pool = bench.pool();
    await expect(pool.initialize()).rejects.toMatchObject(unavailable());
    await expect(pool.acquire()).rejects.toMatchObject(unavailable());
    await expect(pool.run('x')).rejects.toThrow('DOCKER_HOST');
    expect(pool.stats().state).toBe('degraded');
  });

  it('is no obstacle to a shutdown', async () => {
    await bench.engine.vanish();
    const pool = bench.pool();
    await expect(pool.acquire()).rejects.toMatchObject(unavailable());
    await pool.shutdown();
  });

  it('is used when it appears, by the same pool', async () => {
    const { engine } = bench;
    await engine.vanish();
    const pool = bench.pool();
    await expect(pool.initialize()).rejects.toMatchObject(unavailable());
    await engine.listen();
    await pool.initialize();
    expect(pool.stats()).toMatchObject({ warm: 2, state: 'healthy' });
  });

  it('has left its socket behind: nothing answers there', async () => {
    const { engine } = bench;
    await engine.vanish();
    fs.writeFileSync(engine.socketPath, '');
    await expect(bench.pool().acquire()).rejects.toMatchObject(unavailable());
    fs.rmSync(engine.socketPath);
  });
});

it.each(['unix:///nowhere/engine.sock', 'tcp://127.0.0.1:1'])(
  'a DOCKER_HOST where no engine is (%s) is named, with what to do',
  async (host) => {
    const { stdout } = await runNode(`
      process.env.DOCKER_HOST = ${JSON.stringify(host)};
      const Pool = require('scientist-pool');
      new Pool().acquire().catch(({ code, message }) => console.log(code, message));`);
    expect(stdout).toContain('ENGINE_UNAVAILABLE');
    expect(stdout).toContain(host);
    expect(stdout).toContain('DOCKER_HOST');
  },
);

it('an engine that takes no connection of this user is named, with what to do', async () => {
  const { engine } = bench;
  fs.chmodSync(engine.socketPath, 0);
  // Root may do all: as root, the child becomes somebody else once everything is loaded.
  const { stdout } = await runNode(`
    const Pool = require('scientist-pool');
    const pool = new Pool({ engine: ${JSON.stringify(engine.address)} });
    if (process.getuid() === 0) process.setuid(65534);
    pool.acquire().catch(({ code, message }) => console.log(code, message));`);
  expect(stdout).toContain('ENGINE_UNAVAILABLE');
  expect(stdout).toContain(engine.address);
  expect(stdout).toContain('group `docker`');
});

it('an engine that accepts and never answers is unavailable when its time is up', async () => {
  const { engine } = bench;
  engine.on(PING, () => {});
  const pool = bench.pool({ engine: { host: engine.address, timeout: 150 } });
  await expect(pool.initialize()).rejects.toMatchObject({ ...unavailable(), timeout: 150 });
  engine.off(PING);
  await pool.initialize();
});

it('an engine that closes every connection is unavailable, and fine when it does no more', async () => {
  const { engine } = bench;
  engine.on(PING, (call) => call.close());
  const pool = bench.pool({ poolSize: 1 });
  await expect(pool.initialize()).rejects.toMatchObject(unavailable());
  engine.off(PING);
  await pool.initialize();
});

describe('an engine that goes away', () => {
  it('takes the warm containers with it: they are lost, and made anew when it is back', async () => {
    const { engine } = bench;
    const pool = bench.pool();
    const lost = [];
    pool.on('lost', ({ id }) => lost.push(id));
    await pool.initialize();
    const before = pool.pool.map(({ id }) => id);
    await engine.vanish();
    await until(() => lost.length === 2);
    expect(lost.sort()).toEqual(before.sort());
    expect(pool.pool).toEqual([]);
    expect(pool.stats().totals.lost).toBe(2);
    await until(() => pool.stats().state === 'degraded');
    await engine.listen();
    await until(() => pool.stats().warm === 2);
    expect(pool.pool.map(({ id }) => id).some((id) => before.includes(id))).toBe(false);
    await until(() => engine.containers.length === 2);
  });

  it('fails callers at once, and serves the first one after it is back', async () => {
    const { engine } = bench;
    engine.run = () => ({ stdout: 'back' });
    const pool = bench.pool({ poolSize: 0 });
    await pool.run('x');
    await engine.vanish();
    await expect(pool.acquire()).rejects.toMatchObject(unavailable());
    await engine.listen();
    expect(await pool.run('x')).toMatchObject({ stdout: 'back' });
  });

  it('ends running calls at once', async () => {
    const { engine } = bench;
    let begun = false;
    engine.run = () => {
      begun = true;
      return new Promise(() => {});
    };
    const call = bench.pool({ poolSize: 0 }).run('x');
    const ended = expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
    await until(() => begun);
    await engine.vanish();
    await ended;
    await engine.listen();
  });

  it('is not knocked at in a tight loop, nor told of a thousand times', async () => {
    const { engine } = bench;
    const pool = bench.pool();
    await pool.initialize();
    const errors = [];
    const states = [];
    pool.on('error', (error) => errors.push(error));
    pool.on('state', ({ state }) => states.push(state));
    await engine.vanish();
    await until(() => errors.length > 0);
    await sleep(1000);
    expect(errors.length).toBeLessThanOrEqual(15);
    for (const error of errors) expect(error).toMatchObject(unavailable());
    expect(states).toEqual(['degraded']);
    await engine.listen();
    await until(() => pool.stats().state === 'healthy');
  });
});
