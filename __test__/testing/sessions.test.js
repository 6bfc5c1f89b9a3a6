'use strict';

const { useFakePool } = require('../support/fake-bench');

const bench = useFakePool({ poolSize: 1 });

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

test('what a script shows comes back as an outcome has it', async () => {
  const display = [
    { 'text/plain': 'x', 'image/png': PNG, 'application/json': { a: [1] } },
    { 'text/html': '<b>'.repeat(100_000) },
  ];
  bench.engine.reply('plot', { stdout: 'out', display });
  const result = await bench.pool.run('plot()', { display: true });
  expect(result).toMatchObject({ stdout: 'out', display, displayCut: [] });
  expect(Buffer.isBuffer(result.display[0]['image/png'])).toBe(true);
  expect(await bench.pool.run('plot()')).not.toHaveProperty('display');
  expect(bench.engine.calls.map((job) => job.display)).toEqual([true, undefined]);
});

describe('a session', () => {
  test('has one run after another, each as a reply has it', async () => {
    const { engine, pool } = bench;
    engine
      .reply('one', { stdout: '1' })
      .reply('two', { exitCode: 3, display: [{ 'text/html': 'x' }] });
    const container = await pool.acquire();
    const session = await container.session({ env: { A: 1 } });
    const [one, two] = await Promise.all([
      session.run('one'),
      session.run('two', { display: true }),
    ]);
    expect(one).toMatchObject({ stdout: '1', exitCode: 0, sessionEnded: false });
    expect(two).toMatchObject({
      exitCode: 3,
      display: [{ 'text/html': 'x' }],
      sessionEnded: false,
    });
    expect(engine.calls).toMatchObject([
      { script: 'one', session: true, display: false, env: { A: '1' } },
      { script: 'two', session: true, display: true },
    ]);
    await session.close();
    await expect(session.run('one')).rejects.toMatchObject({ code: 'SESSION_ENDED' });
    expect(await container.execute('one')).toMatchObject({ stdout: '1', path: 'warm' });
    await container.destroy();
  });

  test('goes on after a run that is interrupted, and a late answer is no other run’s', async () => {
    const { engine, pool } = bench;
    engine
      .reply('never', { stdout: 'begun', reason: 'timeout' })
      .reply('late', { stdout: 'late', delay: 50 })
      .reply('next', { stdout: 'next', delay: 100 });
    const container = await pool.acquire();
    const session = await container.session();
    expect(await session.run('never', { timeout: 20 })).toMatchObject({
      ...{ stdout: 'begun', stderr: 'KeyboardInterrupt', exitCode: 130, reason: 'timeout' },
      sessionEnded: false,
    });
    expect(await session.run('late', { timeout: 10 })).toMatchObject({
      stdout: '',
      reason: 'timeout',
    });
    expect(await session.run('next')).toMatchObject({ stdout: 'next', reason: 'exit' });
    await container.destroy();
  });

  test.each([
    ['a signal', { signal: 'SIGSEGV' }, { reason: 'signal', exitCode: 139 }],
    ['want of memory', { reason: 'oom' }, { reason: 'oom', exitCode: 137 }],
  ])('ends by %s', async (_, outcome, expected) => {
    bench.engine.reply('', outcome);
    const container = await bench.pool.acquire();
    const session = await container.session();
    expect(await session.run('1')).toMatchObject({ ...expected, sessionEnded: true });
    await expect(session.run('1')).rejects.toMatchObject({ code: 'SESSION_ENDED' });
    await container.destroy();
  });

  test('rejects where its container is lost', async () => {
    bench.engine.reply('', { reason: 'lost' });
    const container = await bench.pool.acquire();
    const session = await container.session();
    await expect(session.run('1')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
    await expect(session.run('1')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  });
});
