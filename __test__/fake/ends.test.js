'use strict';

const { until } = require('../../harness/until');
const { never, useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

/** What a call comes to: its reason, or its error's code. */
const told = (promise) =>
  promise.then(
    ({ reason }) => reason,
    ({ code }) => code,
  );

/** A pool that counts the containers it finds lost. */
function countingPool() {
  const pool = bench.pool({ poolSize: 0 });
  const lost = [];
  pool.on('lost', ({ id }) => lost.push(id));
  return { pool, lost };
}

it('a call beyond its output limit ends its container, and no sibling takes that for a loss', async () => {
  const { engine } = bench;
  let flood;
  engine.run = ({ path, write }) => {
    if (path === 'supervisor') flood = () => write('stdout', 'x'.repeat(100));
    return never();
  };
  const { pool, lost } = countingPool();
  for (let round = 0; round < 20; round += 1) {
    const container = await pool.acquire();
    const first = told(container.execute('x', {}, [], { maxOutputBytes: 10 }));
    const second = told(container.executeCommand(['y']));
    await until(() => engine.calls.length === 2 * (round + 1));
    flood();
    expect([await first, await second]).toEqual(['output_limit', 'CONTAINER_TERMINATED']);
    await container.destroy();
  }
  expect([lost, pool.stats().totals.lost]).toEqual([[], 0]);
});

it('what we end ourselves is not lost', async () => {
  const { engine } = bench;
  engine.run = () => ({ stdout: 'x'.repeat(100) });
  const { pool, lost } = countingPool();
  for (let round = 0; round < 20; round += 1) {
    expect(await told(pool.run('x', { maxOutputBytes: 5 }))).toBe('output_limit');
  }
  await until(() => engine.containers.length === 0);
  expect([lost, pool.stats().totals.lost]).toEqual([[], 0]);
});

it('a container that is lost is lost to all its calls', async () => {
  const { engine } = bench;
  engine.run = never;
  const { pool, lost } = countingPool();
  for (let round = 0; round < 20; round += 1) {
    const container = await pool.acquire();
    const calls = [told(container.execute('x')), told(container.executeCommand(['y']))];
    await until(() => engine.calls.length === 2 * (round + 1));
    engine.containers[0].die();
    expect(await Promise.all(calls)).toEqual(['CONTAINER_LOST', 'CONTAINER_LOST']);
    await container.destroy();
  }
  expect(lost).toHaveLength(20);
});

it.each(['exec', 'startExec'])(
  'a refused %s ends its own call, and not the one beside it',
  async (operation) => {
    const { engine } = bench;
    let end;
    engine.run = ({ path }) =>
      path === 'exec'
        ? {}
        : new Promise((resolve) => {
            end = resolve;
          });
    const container = await bench.pool({ poolSize: 0 }).acquire();
    const first = container.execute('x');
    await until(() => end);
    engine.fail(operation, { times: 1 });
    expect(await told(container.executeCommand(['y']))).toBe('ENGINE_ERROR');
    expect(await told(container.executeCommand(['z']))).toBe('exit');
    end({ stdout: 'whole' });
    expect(await first).toMatchObject({ stdout: 'whole', reason: 'exit' });
  },
);
