'use strict';

const { useFakePool } = require('../support/fake-bench');

const bench = useFakePool({ poolSize: 1 });

describe('a reply', () => {
  test('is found by a part of the script', async () => {
    bench.engine.reply('tool_a', { stdout: 'a' }).reply('tool_b', { stdout: 'b', exitCode: 2 });
    expect(await bench.pool.run('import tool_b')).toMatchObject({ stdout: 'b', exitCode: 2 });
    expect(await bench.pool.run('import tool_a')).toMatchObject({ stdout: 'a', exitCode: 0 });
  });

  test('is found by a regular expression, a sticky one too', async () => {
    bench.engine.reply(/tool_\w/gy, { stdout: 'matched' });
    for (const script of ['tool_a()', 'tool_b()']) {
      expect(await bench.pool.run(script)).toMatchObject({ stdout: 'matched' });
    }
  });

  test('is found by a function of the job', async () => {
    bench.engine.reply(({ env }) => env.TOOL === 'x', { stdout: 'x' });
    expect(await bench.pool.run('1', { env: { TOOL: 'x' } })).toMatchObject({ stdout: 'x' });
    expect(await bench.pool.run('1', { env: { TOOL: 'y' } })).toMatchObject({ stdout: '' });
  });

  test("is found by a command's words", async () => {
    bench.engine.reply('ls -l', ({ stdin }) => ({ stdout: `read ${stdin}` }));
    expect(await bench.pool.run(['ls', '-l'], { stdin: 'this' })).toMatchObject({
      stdout: 'read this',
    });
  });

  test('is found by a script that takes the cold path, too', async () => {
    bench.engine.reply('the tool', ({ script, args }) => ({ stdout: `${script} ${args}` }));
    const script = 'run the tool';
    const expected = { stdout: 'run the tool x', path: 'cold' };
    const cold = { PYTHONHASHSEED: '0' };
    expect(await bench.pool.run(script, { args: ['x'], env: cold })).toMatchObject(expected);
    expect(await bench.pool.run(script, { args: ['x'], cwd: '/' })).toMatchObject(expected);
  });

  test('counts so many times, and then the next one does', async () => {
    bench.engine.reply('', { exitCode: 1 }, { times: 2 }).reply('', { stdout: 'third' });
    const codes = [];
    for (let call = 0; call < 3; call += 1) codes.push((await bench.pool.run('1')).exitCode);
    expect(codes).toEqual([1, 1, 0]);
  });

  test('may be made from the job, and later', async () => {
    bench.engine.reply('', async ({ script, args, env }) => ({
      stdout: [script, ...args, env.A].join(),
    }));
    expect(await bench.pool.run('s', { args: ['x', 'y'], env: { A: 1 } })).toMatchObject({
      stdout: 's,x,y,1',
    });
  });

  test('that throws shows on stderr', async () => {
    bench.engine.reply('', () => {
      throw new Error('expected another argument');
    });
    const { exitCode, stderr } = await bench.pool.run('1');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('expected another argument');
  });

  test.each([
    [{ stdOut: 'x' }, "an outcome has no 'stdOut'"],
    [{ signal: 'SIGNONE' }, 'there is no signal SIGNONE'],
    [{ reason: 'killed' }, "got 'killed'"],
    [null, 'an outcome is an object'],
  ])('with the wrong outcome %j says so', async (outcome, message) => {
    bench.engine.reply('', outcome);
    expect((await bench.pool.run('1')).stderr).toContain(message);
  });
});

describe('an outcome', () => {
  test('may be a signal', async () => {
    bench.engine.reply('', { signal: 'SIGSEGV' });
    expect(await bench.pool.run('1')).toMatchObject({
      reason: 'signal',
      signal: 'SIGSEGV',
      exitCode: 139,
    });
  });

  test('may be a want of memory', async () => {
    bench.engine.reply('', { reason: 'oom' });
    expect(await bench.pool.run('1')).toMatchObject({ reason: 'oom', exitCode: 137 });
  });

  test("may be the call's timeout, with what was written until then", async () => {
    bench.engine.reply('', { reason: 'timeout', stdout: 'so far' });
    expect(await bench.pool.run('1', { timeout: 100 })).toMatchObject({
      reason: 'timeout',
      stdout: 'so far',
      exitCode: 137,
    });
  });

  test('may be a lost container', async () => {
    bench.engine.reply('', { reason: 'lost', stdout: 'half' });
    await expect(bench.pool.run('1')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  });

  test('may come late', async () => {
    bench.engine.reply('', { delay: 50, stdout: 'late' });
    const began = performance.now();
    expect(await bench.pool.run('1')).toMatchObject({ stdout: 'late' });
    expect(performance.now() - began).toBeGreaterThanOrEqual(49);
  });

  test('may be written bit by bit', async () => {
    let next;
    bench.engine.reply('', async ({ write }) => {
      write('stdout', 'one ');
      await new Promise((resolve) => {
        next = resolve;
      });
      return { stdout: 'two' };
    });
    const chunks = [];
    const onStdout = (chunk) => {
      chunks.push(chunk);
      next();
    };
    expect(await bench.pool.run('1', { onStdout })).toMatchObject({ stdout: 'one two' });
    expect(chunks).toEqual(['one ', 'two']);
  });

  test.each([
    ['exit', { exitCode: 3 }, { exitCode: 3 }],
    ['signal', { signal: 9 }, { exitCode: 137 }],
    ['timeout', { reason: 'timeout', stdout: 'x' }, { reason: 'timeout', stdout: 'x' }],
  ])("is told by the engine's exec too: %s", async (_, outcome, result) => {
    bench.engine.reply('first', { reason: 'timeout' });
    bench.engine.run = () => outcome;
    const container = await bench.pool.acquire();
    const first = container.execute('first').catch((error) => error.code);
    const second = await container.execute('second', {}, [], {
      timeout: result.reason === 'timeout' ? 2_000 : 0,
    });
    expect(second).toMatchObject({ path: 'cold', ...result });
    await container.destroy();
    expect(await first).toBe('CONTAINER_TERMINATED');
  });
});

test('every call is there to look at, until the engine is reset', async () => {
  await bench.pool.run('print(1)', { env: { A: 1 }, args: ['x'] });
  await bench.pool.run(['ls'], { cwd: '/' });
  expect(bench.engine.calls).toMatchObject([
    { script: 'print(1)', env: { A: '1' }, args: ['x'], path: 'supervisor' },
    { argv: ['ls'], cwd: '/' },
  ]);
  bench.engine.fail('create').reset();
  expect(bench.engine.calls).toEqual([]);
  await bench.pool.run('2');
});
