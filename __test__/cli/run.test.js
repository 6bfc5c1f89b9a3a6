'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { PROGRAM, cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cli-'));
const script = path.join(folder, 'tool.py');
fs.writeFileSync(script, 'print("the tool")');
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const run = (args, options = {}) =>
  cli(['run', ...args], { ...options, env: { DOCKER_HOST: bench.engine.address, ...options.env } });

test('a script of a file, with its arguments; output and exit code are passed on', async () => {
  bench.engine.reply('', { stdout: 'out\n', stderr: 'err\n', exitCode: 3 });
  expect(await run([script, '--', 'a', '--b'])).toEqual({
    stdout: 'out\n',
    stderr: 'err\n',
    code: 3,
  });
  expect(bench.engine.calls).toMatchObject([{ script: 'print("the tool")', args: ['a', '--b'] }]);
});

test('a script from stdin', async () => {
  await run(['-'], { input: 'print("piped")' });
  expect(bench.engine.calls).toMatchObject([{ script: 'print("piped")', args: [] }]);
});

test('variables by pairs, and by names from here', async () => {
  await run([script, '--env', 'A=1=2', '--env', 'B', '--env', 'NOT_HERE'], { env: { B: 'two' } });
  expect(bench.engine.calls[0].env).toEqual({ A: '1=2', B: 'two' });
});

test('bytes come through as they are', async () => {
  bench.engine.reply('', { stdout: Buffer.from([0xc3, 0xa4, 0xff, 0x00, 0x0a]) });
  const child = spawn(process.execPath, [PROGRAM, 'run', script], {
    env: { ...process.env, DOCKER_HOST: bench.engine.address },
  });
  const chunks = await child.stdout.toArray();
  expect([...Buffer.concat(chunks)]).toEqual([0xc3, 0xa4, 0xff, 0x00, 0x0a]);
});

test.each([
  ['what a script writes', ['run', script]],
  ['a result', ['run', script, '--json']],
  ['the help', ['--help']],
])('what can not be written is told, with an exit code of its own: %s', async (_, args) => {
  bench.engine.reply('', { stdout: 'out\n' });
  const full = fs.openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, DOCKER_HOST: bench.engine.address },
    stdio: ['ignore', full, 'pipe'],
  });
  fs.closeSync(full);
  const ended = new Promise((resolve) => child.on('close', resolve));
  expect(await text(child.stderr)).toMatch(
    /^scientist-pool: stdout can't be written: ENOSPC: no space left on device, write\n$/,
  );
  expect(await ended).toBe(74);
  await bench.engine.assertEmpty();
});

test('a reader that goes away ends it, and the container', async () => {
  bench.engine.reply('', async ({ write }) => {
    for (let line = 0; line < 5000; line += 1) write('stdout', `${'x'.repeat(1000)}\n`);
    return { reason: 'timeout' };
  });
  const child = spawn(process.execPath, [PROGRAM, 'run', script], {
    env: { ...process.env, DOCKER_HOST: bench.engine.address },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(141);
  await bench.engine.assertEmpty();
});

test('the reason of a script that was ended is told on stderr', async () => {
  bench.engine.reply('', { reason: 'timeout', stdout: 'so far' });
  const { stdout, stderr, code } = await run([script, '--timeout', '50']);
  expect({ stdout, code }).toEqual({ stdout: 'so far', code: 137 });
  expect(stderr).toMatch(/^scientist-pool: ended after \d+ ms by its timeout\n$/);
});

test('--mount shows a folder of this machine', async () => {
  await run([script, '--mount', `${__dirname}:/data`, '--mount', `${__filename}:/test.js:rw`]);
  const { body } = bench.engine.requests.find(({ route }) => route === 'POST /containers/create');
  expect(body.HostConfig.Mounts).toEqual([
    expect.objectContaining({ Source: __dirname, Target: '/data', ReadOnly: true }),
    expect.objectContaining({ Source: __filename, Target: '/test.js', ReadOnly: false }),
  ]);
});

test('limits and the image become those of the container', async () => {
  const image = 'registry.test/tools:2';
  const limits = ['--memory', '256m', '--cpus', '1.5', '--pids-limit', '20'];
  await run([script, ...limits, '--image', image, '--network', 'tools']);
  const { body } = bench.engine.requests.find(({ route }) => route === 'POST /containers/create');
  expect(body).toMatchObject({
    Image: image,
    HostConfig: {
      ...{ Memory: 256 * 1024 ** 2, CpuQuota: 150_000, CpuPeriod: 100_000, PidsLimit: 20 },
      NetworkMode: 'tools',
    },
  });
});

test('a working directory', async () => {
  await run([script, '--cwd', '/srv']);
  expect(bench.engine.calls).toMatchObject([{ argv: ['python3', '-'], cwd: '/srv' }]);
});

test('--json prints the result', async () => {
  bench.engine.reply('', { stdout: 'out', exitCode: 2 });
  const { stdout, code } = await run([script, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ stdout: 'out', exitCode: 2, reason: 'exit' });
  expect(code).toBe(2);
});

test('--json keeps 10 MiB of a stream, and says so', async () => {
  bench.engine.reply('', { stdout: 'x'.repeat(11 * 1024 ** 2) });
  const { stdout, stderr } = await run([script, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ reason: 'output_limit', truncated: true });
  expect(stderr).toContain('ended by its output');
});

describe('what is not of the script has an exit code of its own', () => {
  test('125 and the error, where the engine fails', async () => {
    bench.engine.fail('create', { message: 'disk full' });
    const { stdout, stderr, code } = await run([script, '--json']);
    expect(code).toBe(125);
    expect(stderr).toContain('disk full');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ENGINE_ERROR' } });
  });

  test.each([
    [['/no/such/file.py'], 'ENOENT'],
    [[script, '--memory', 'much'], 'memory'],
    [[script, '--timeout', 'soon'], '--timeout must be a whole number of milliseconds; got soon'],
    [[script, '--cpu-time', '1s'], '--cpu-time must be a whole number of milliseconds; got 1s'],
    [[script, '--cpus', 'all'], '--cpus must be a number of processors; got all'],
    [[script, '--cpus', '0.001'], 'cpuQuota'],
    [[script, '--mount', '/data'], '--mount must be SOURCE:TARGET'],
    [[script, '--pids-limit', '1.5'], '--pids-limit must be a whole number of processes; got 1.5'],
    [[script, '--env', '=x'], 'env has a variable without a name'],
  ])('125 for %j', async (args, said) => {
    const { stderr, code } = await run(args);
    expect(stderr).toContain(said);
    expect(code).toBe(125);
    expect(bench.engine.calls).toEqual([]);
  });

  test.each([
    [[], 'run needs a script'],
    [[script, '--collect', '*'], '--collect needs --out DIR'],
    [[script, '--out', folder], '--out needs --collect GLOB or --display'],
    [[script, '--no-such-option'], "Unknown option '--no-such-option'"],
  ])('2 for %j', async (args, said) => {
    const { stderr, code } = await run(args);
    expect(stderr).toContain(said);
    expect(code).toBe(2);
  });
});

describe('--display', () => {
  const shown = [
    { 'text/plain': '<Figure>', 'image/png': Buffer.from('png'), 'image/svg+xml': '<svg/>' },
    { 'text/plain': '42' },
  ];

  test('prints what was shown behind the output, and writes its pictures', async () => {
    bench.engine.reply('', { stdout: 'out\n', display: shown });
    const out = path.join(folder, 'pictures');
    expect(await run([script, '--display', '--out', out])).toEqual({
      ...{ stdout: 'out\n<Figure>\n42\n', stderr: '', code: 0 },
    });
    expect(fs.readdirSync(out).sort()).toEqual(['shown-1.png', 'shown-1.svg']);
    expect(fs.readFileSync(path.join(out, 'shown-1.png'), 'utf8')).toBe('png');
  });

  test('has it in the result as JSON, pictures in base64', async () => {
    bench.engine.reply('', { display: shown });
    const { display, displayCut } = JSON.parse((await run([script, '--display', '--json'])).stdout);
    expect(display).toEqual([{ ...shown[0], 'image/png': 'cG5n' }, shown[1]]);
    expect(displayCut).toEqual([]);
  });
});
