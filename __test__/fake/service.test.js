'use strict';

const { until } = require('../../harness/until');
const { CALLS, never, useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

const { CREATE, PULL } = CALLS;

it('runs a script on a warm container, and settles at its size again', async () => {
  const { engine } = bench;
  engine.run = ({ script, env, args }) => ({
    stdout: `${script} ${env.A} ${args}`,
    stderr: 'e',
    exitCode: 3,
  });
  const pool = bench.pool();
  await pool.initialize();
  const result = await pool.run('hello', { env: { A: 1 }, args: ['x'] });
  expect(result).toMatchObject({ stdout: 'hello 1 x', stderr: 'e', exitCode: 3, path: 'warm' });
  await until(() => pool.stats().warm === 2 && engine.containers.length === 2);
  expect(engine.count(PULL)).toBe(0);
  expect(engine.count(CREATE)).toBe(3);
});

it('runs a second call beside the first, and a third, through an exec', async () => {
  const { engine } = bench;
  let end;
  engine.run = ({ path, stdin }) =>
    path === 'exec'
      ? { stdout: stdin.toString(), exitCode: 4 }
      : new Promise((resolve) => {
          end = resolve;
        });
  const container = await bench.pool({ poolSize: 0 }).acquire();
  const first = container.execute('first');
  await until(() => end);
  const second = await container.execute('second');
  expect(second).toMatchObject({ stdout: 'second', exitCode: 4, path: 'cold' });
  const third = await container.execute('third');
  expect(third).toMatchObject({ stdout: 'third', exitCode: 4, path: 'cold' });
  end({ stdout: 'one' });
  expect(await first).toMatchObject({ stdout: 'one', path: 'warm' });
});

it('ends a script that never does at its timeout, and the container with it', async () => {
  const { engine } = bench;
  engine.run = never;
  const container = await bench.pool({ poolSize: 0 }).acquire();
  const result = await container.execute('while True: pass', {}, [], { timeout: 50 });
  expect(result.reason).toBe('timeout');
  await until(() => engine.containers.length === 0);
});
