'use strict';

const { FakeEngine } = require('scientist-pool/testing');
const ContainerPoolManager = require('scientist-pool');

let engine;
let pool;
beforeEach(async () => {
  engine = await FakeEngine.start();
  pool = new ContainerPoolManager({ engine: engine.address, poolSize: 1 });
});
afterEach(async () => {
  await pool.shutdown({ grace: 0 });
  await engine.assertEmpty();
  await engine.close();
});

describe('a reply', () => {
  test('is found by a part of the script', async () => {
    engine.reply('tool_a', { stdout: 'a' }).reply('tool_b', { stdout: 'b', exitCode: 2 });
    expect(await pool.run('import tool_b')).toMatchObject({ stdout: 'b', exitCode: 2 });
    expect(await pool.run('import tool_a')).toMatchObject({ stdout: 'a', exitCode: 0 });
  });

  test('is found by a regular expression, a sticky one too', async () => {
    engine.reply(/tool_\w/gy, { stdout: 'matched' });
    for (const script of ['tool_a()', 'tool_b()']) {
      expect(await pool.run(script)).toMatchObject({ stdout: 'matched' });
    }
  });

  test('is found by a function of the job', async () => {
    engine.reply(({ env }) => env.TOOL === 'x', { stdout: 'x' });
    expect(await pool.run('1', { env: { TOOL: 'x' } })).toMatchObject({ stdout: 'x' });
    expect(await pool.run('1', { env: { TOOL: 'y' } })).toMatchObject({ stdout: '' });
  });

  test("is found by a command's words", async () => {
    engine.reply('ls -l', ({ stdin }) => ({ stdout: `read ${stdin}` }));
    expect(await pool.run(['ls', '-l'], { stdin: 'this' })).toMatchObject({ stdout: 'read this' });
  });

  test('is found by a script that takes the cold path, too', async () => {
    engine.reply('the tool', ({ script, args }) => ({ stdout: `${script} ${args}` }));
    const script = 'run the tool';
    const expected = { stdout: 'run the tool x', path: 'cold' };
    const cold = { PYTHONHASHSEED: '0' };
    expect(await pool.run(script, { args: ['x'], env: cold })).toMatchObject(expected);
    expect(await pool.run(script, { args: ['x'], cwd: '/' })).toMatchObject(expected);
  });

  test('counts so many times, and then the next one does', async () => {
    engine.reply('', { exitCode: 1 }, { times: 2 }).reply('', { stdout: 'third' });
    const codes = [];
    for (let call = 0; call < 3; call += 1) codes.push((await pool.run('1')).exitCode);
    expect(codes).toEqual([1, 1, 0]);
  });

  test('may be made from the job, and later', async () => {
    engine.reply('', async ({ script, args, env }) => ({
      stdout: [script, ...args, env.A].join(),
    }));
    expect(await pool.run('s', { args: ['x', 'y'], env: { A: 1 } })).toMatchObject({
      stdout: 's,x,y,1',
    });
  });

  test('that throws shows on stderr', async () => {
    engine.reply('', () => {
      throw new Error('expected another argument');
    });
    const { exitCode, stderr } = await pool.run('1');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('expected another argument');
  });

  test.each([
    [{ stdOut: 'x' }, "an outcome has no 'stdOut'"],
    [{ signal: 'SIGNONE' }, 'there is no signal SIGNONE'],
    [{ reason: 'killed' }, "got 'killed'"],
    [null, 'an outcome is an object'],
  ])('with the wrong outcome %j says so', async (outcome, message) => {
    engine.reply('', outcome);
    expect((await pool.run('1')).stderr).toContain(message);
  });
});

describe('an outcome', () => {
  test('may be a signal', async () => {
    engine.reply('', { signal: 'SIGSEGV' });
    expect(await pool.run('1')).toMatchObject({
      reason: 'signal',
      signal: 'SIGSEGV',
      exitCode: 139,
    });
  });

  test('may be a want of memory', async () => {
    engine.reply('', { reason: 'oom' });
    expect(await pool.run('1')).toMatchObject({ reason: 'oom', exitCode: 137 });
  });

  test("may be the call's timeout, with what was written until then", async () => {
    engine.reply('', { reason: 'timeout', stdout: 'so far' });
    expect(await pool.run('1', { timeout: 100 })).toMatchObject({
      reason: 'timeout',
      stdout: 'so far',
      exitCode: 137,
    });
  });

  test('may be a lost container', async () => {
    engine.reply('', { reason: 'lost', stdout: 'half' });
    await expect(pool.run('1')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  });

  test('may come late', async () => {
    engine.reply('', { delay: 50, stdout: 'late' });
    const began = performance.now();
    expect(await pool.run('1')).toMatchObject({ stdout: 'late' });
    expect(performance.now() - began).toBeGreaterThanOrEqual(49);
  });

  test('may be written bit by bit', async () => {
    let next;
    engine.reply('', async ({ write }) => {
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
    expect(await pool.run('1', { onStdout })).toMatchObject({ stdout: 'one two' });
    expect(chunks).toEqual(['one ', 'two']);
  });

  test.each([
    ['exit', { exitCode: 3 }, { exitCode: 3 }],
    ['signal', { signal: 9 }, { exitCode: 137 }],
    ['timeout', { reason: 'timeout', stdout: 'x' }, { reason: 'timeout', stdout: 'x' }],
  ])("is told by the engine's exec too: %s", async (_, outcome, result) => {
    engine.reply('first', { reason: 'timeout' });
    engine.run = () => outcome;
    const container = await pool.acquire();
    const first = container.execute('first').catch((error) => error.code);
    const second = await container.execute('second', {}, [], { timeout: 200 });
    expect(second).toMatchObject({ path: 'cold', ...result });
    await container.destroy();
    expect(await first).toBe('CONTAINER_TERMINATED');
  });
});

test('every call is there to look at, until the engine is reset', async () => {
  await pool.run('print(1)', { env: { A: 1 }, args: ['x'] });
  await pool.run(['ls'], { cwd: '/' });
  expect(engine.calls).toMatchObject([
    { script: 'print(1)', env: { A: '1' }, args: ['x'], path: 'supervisor' },
    { argv: ['ls'], cwd: '/' },
  ]);
  engine.fail('create').reset();
  expect(engine.calls).toEqual([]);
  await pool.run('2');
});
