'use strict';

const { main } = require('../../cli/main');
const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

/** What the probe says in a container as it should be. */
const sound = {
  python: '3.9.2',
  uid: 65534,
  capabilities: 0,
  noNewPrivileges: true,
  seccomp: true,
  readonlyRootfs: true,
  interfaces: [],
  memory: 128 * 1024 ** 2,
  pids: 50,
  cpu: 0.5,
};

const probed = (changes = {}) =>
  bench.engine.reply('scientist-pool doctor', { stdout: JSON.stringify({ ...sound, ...changes }) });

async function doctor(...args) {
  const env = { DOCKER_HOST: bench.engine.address };
  const { stdout, code } = await cli(['doctor', '--json', ...args], { env });
  return { ...JSON.parse(stdout), code };
}

const named = (findings, name) => findings.find((finding) => finding.name === name);

test('everything as it should be: every line ok, exit code 0', async () => {
  probed();
  const { ok, findings, code } = await doctor();
  expect({ ok, code }).toEqual({ ok: true, code: 0 });
  expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual([
    ...['Node.js', 'native part', 'engine', 'image', 'container', 'call', 'user', 'capabilities'],
    ...['no new privileges', 'seccomp', 'read-only root', 'network', 'memory', 'processes', 'cpu'],
    'removal',
  ]);
  expect(bench.engine.ids).toEqual([]);
});

test.each([
  ['user', { uid: 0 }, 'failure', 'as root'],
  ['capabilities', { capabilities: 0x20 }, 'warning', '0x20'],
  ['no new privileges', { noNewPrivileges: false }, 'failure', 'not set'],
  ['seccomp', { seccomp: false }, 'failure', 'every system call'],
  ['read-only root', { readonlyRootfs: false }, 'failure', "change the image's files"],
  ['network', { interfaces: ['eth0'] }, 'failure', 'eth0'],
  ['memory', { memory: null }, 'failure', 'no limit, not 128 MiB'],
  ['processes', { pids: 1000 }, 'failure', '1000, not 50'],
  ['cpu', { cpu: null }, 'failure', 'no limit, not 0.5 cores'],
])('%s not as it should be is told with its fix', async (name, changes, state, detail) => {
  probed(changes);
  const { ok, findings, code } = await doctor();
  expect(named(findings, name)).toEqual({
    ...{ name, state, detail: expect.stringContaining(detail), fix: expect.any(String) },
  });
  expect({ ok, code }).toEqual(
    state === 'failure' ? { ok: false, code: 1 } : { ok: true, code: 0 },
  );
  expect(findings.filter((finding) => finding.state !== 'ok')).toHaveLength(1);
});

test('an option that makes no sense is told', async () => {
  const env = { DOCKER_HOST: bench.engine.address, CONTAINER_MEMORY: 'much' };
  const { stdout, code } = await cli(['doctor', '--json'], { env });
  expect(JSON.parse(stdout).findings.at(-1)).toMatchObject({
    ...{ name: 'options', state: 'failure', detail: expect.stringContaining('CONTAINER_MEMORY') },
  });
  expect(code).toBe(1);
});

test('an engine that is not there is told, and nothing after it', async () => {
  const { findings, code } = await doctor('--engine', 'unix:///no/engine.sock');
  expect(code).toBe(1);
  expect(findings.at(-1)).toMatchObject({ name: 'engine', state: 'failure' });
  expect(findings.at(-1).detail).toMatch(/ENGINE_UNAVAILABLE: .*unix:\/\/\/no\/engine\.sock/);
});

test('an image that is not there is told', async () => {
  bench.engine.fail('pull', { status: 404, message: 'no such image' });
  const { findings, code } = await doctor('--image', 'none:such');
  expect(code).toBe(1);
  expect(findings.at(-1)).toMatchObject({ name: 'image', state: 'failure' });
  expect(findings.at(-1).detail).toContain('none:such');
});

test('a container that can not be made is told', async () => {
  bench.engine.fail('start', { message: 'no space left on device' });
  const { findings, code } = await doctor();
  expect(code).toBe(1);
  expect(findings.at(-1)).toMatchObject({ name: 'container', state: 'failure' });
  expect(findings.at(-1).detail).toContain('no space left on device');
});

test('an image whose python3 is none is told', async () => {
  bench.engine.reply('scientist-pool doctor', { exitCode: 1, stderr: 'SyntaxError: no' });
  const { findings } = await doctor();
  expect(named(findings, 'call')).toMatchObject({
    state: 'failure',
    detail: expect.stringContaining('SyntaxError: no'),
  });
});

describe('for people', () => {
  async function lines(stream = {}) {
    probed({ seccomp: false });
    const written = [];
    const stdout = { write: (chunk) => written.push(chunk), ...stream };
    const io = { stdout, stderr: stdout, env: {} };
    await main(['doctor', '--engine', bench.engine.address], io);
    return written.join('');
  }

  test('each finding is a line, with its fix below it', async () => {
    const text = await lines();
    expect(text).toMatch(/^ok {7}Node\.js {12}v\d+/m);
    expect(text).toMatch(/^FAILED {3}seccomp {12}no filter.*\n +fix: use an engine/m);
    expect(text).not.toContain('\x1b');
  });

  test('in colours on a terminal', async () => {
    expect(await lines({ isTTY: true })).toContain('\x1b[31mFAILED');
  });
});
