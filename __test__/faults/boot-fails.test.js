'use strict';

// A container starts and its interpreter does not come up. It is removed (invariant 3), its caller hears
// why (4), and the next one is made.

const { CALLS, never, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { CREATE } = CALLS;

const never_ready = {
  code: 'ENGINE_ERROR',
  timeout: 200,
  message: expect.stringContaining('200 ms'),
};

describe('a container whose interpreter', () => {
  it('never says that it is ready is given up at createTimeout, and removed', async () => {
    const { engine } = bench;
    engine.boot = never;
    const pool = bench.pool({ poolSize: 0, createTimeout: 200 });
    await expect(pool.acquire()).rejects.toMatchObject(never_ready);
    await until(() => engine.containers.length === 0);
  });

  it('never says that it is ready, nor ends with its stdin, is removed all the same', async () => {
    const { engine } = bench;
    engine.boot = ({ container }) => {
      container.lifeline = false;
      return never();
    };
    const pool = bench.pool({ poolSize: 0, createTimeout: 200 });
    await expect(pool.acquire()).rejects.toMatchObject(never_ready);
    await pool.shutdown();
    expect(engine.ids).toEqual([]);
  });

  it('ends as it starts, though others of its image did not, is a failed create', async () => {
    const { engine } = bench;
    engine.run = ({ path }) => ({ stdout: path });
    const pool = bench.pool({ poolSize: 0 });
    expect(await pool.run('x')).toMatchObject({ stdout: 'supervisor', path: 'warm' });
    const boots = [{ cutAt: 0 }];
    engine.boot = () => boots.shift() ?? {};
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
    expect(await pool.run('x')).toMatchObject({ stdout: 'supervisor', path: 'warm' });
  });

  it('can not import a module to preload is removed, and the error has its words', async () => {
    const { engine } = bench;
    engine.boot = ({ preload }) => ({ failed: `No module named ${preload[0]}` });
    const pool = bench.pool({ poolSize: 0, preload: ['numpy'] });
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      image: 'python:3.9-slim',
      message: expect.stringContaining('No module named numpy'),
    });
    expect(engine.ids).toEqual([]);
  });

  it('can not run at all gives way to a container without one', async () => {
    const { engine } = bench;
    engine.boot = () => ({ failed: 'SyntaxError' });
    engine.run = ({ path, argv }) => ({ stdout: `${path} ${argv.join(' ')}` });
    const pool = bench.pool({ poolSize: 0 });
    const result = await pool.run('print(1)');
    expect(result).toMatchObject({ stdout: 'exec python3 -', path: 'cold' });
    await until(() => engine.containers.length === 0);
  });

  it.each([0, 5, 8, 20, 40])(
    'is cut off after %i bytes of its answer is removed, whatever becomes of the caller',
    async (cutAt) => {
      const { engine } = bench;
      const boots = [{ cutAt }];
      engine.boot = () => boots.shift() ?? {};
      const pool = bench.pool({ poolSize: 1 });
      // The stream may end a moment after the whole answer: then its container is handed out.
      const container = await pool.acquire().catch(() => {});
      await container?.destroy();
      await until(() => pool.stats().warm === 1 && engine.containers.length === 1);
      expect(engine.count(CREATE)).toBeGreaterThanOrEqual(2);
    },
  );
});
