'use strict';

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { showPools } = require('scientist-pool/monitor');

const { main } = require('../../cli/main');
const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');
const { runNode } = require('../support/node');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'runtime-'));
const folder = path.join(runtime, 'scientist-pool');
const env = { XDG_RUNTIME_DIR: runtime };
const before = process.env.XDG_RUNTIME_DIR;

let stop;
beforeAll(() => {
  process.env.XDG_RUNTIME_DIR = runtime;
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  fs.rmSync(folder, { recursive: true, force: true });
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  fs.rmSync(runtime, { recursive: true, force: true });
});

const top = (...args) => cli(['top', ...args], { env });

test('shows the pools of the only process that shows them', async () => {
  const pool = bench.pool({ poolSize: 2, max: 9 });
  stop = await showPools({ tools: pool });
  await pool.initialize();
  await pool.acquire();
  await until(() => pool.stats().warm === 2);
  const { stdout, code } = await top();
  const [title, head, row] = stdout.split('\n');
  expect(title).toBe(`process ${process.pid}`);
  const cells = Object.fromEntries(
    head.split(/ {2,}/).map((name, at) => [name, row.split(/ {2,}/)[at]]),
  );
  expect(cells).toMatchObject({
    ...{ pool: 'tools', state: 'healthy', warm: '2/2', leased: '1', max: '9', calls: '0' },
    'create p50': expect.stringMatching(/^\d+ ms$/),
  });
  expect(code).toBe(0);
});

test('--json prints it once', async () => {
  stop = await showPools(() => ({ tools: bench.pool({ poolSize: 3 }) }));
  const { pid, pools } = JSON.parse((await top('--json')).stdout);
  expect(pid).toBe(process.pid);
  expect(pools.tools).toMatchObject({ image: 'python:3.9-slim', poolSize: 3, state: 'new' });
});

test('on a terminal it goes on, until the process ends', async () => {
  stop = await showPools({ tools: bench.pool() });
  const written = [];
  const stdout = { isTTY: true, write: (text) => written.push(text) };
  const ended = main(['top'], { stdout, stderr: stdout, env: {} });
  await until(() => written.length === 2);
  await stop();
  expect(await ended).toBe(0);
  for (const text of written) {
    expect(text).toContain(`\x1b[H\x1b[Jprocess ${process.pid}\n\x1b[1mpool`);
  }
});

test('of several processes one has to be named', async () => {
  stop = await showPools({ tools: bench.pool() });
  // Another one, as far as its socket tells.
  const other = net.createServer().listen(path.join(folder, '1.sock'));
  const { stderr, code } = await top();
  expect(stderr).toMatch(/2 processes of yours show their pools: .*; name one: top PID/);
  expect(code).toBe(125);
  expect((await top(`${process.pid}`)).code).toBe(0);
  await new Promise((resolve) => other.close(resolve));
});

test('a socket that a dead process has left is taken away', async () => {
  fs.mkdirSync(folder, { mode: 0o700 });
  fs.writeFileSync(path.join(folder, '1.sock'), '');
  const { stderr, code } = await top();
  expect(stderr).toContain('no processes of yours show their pools; in it, call showPools of');
  expect(code).toBe(125);
  expect(fs.existsSync(folder)).toBe(false);
});

test('a process that shows none is told', async () => {
  expect((await top('1')).stderr).toContain('process 1 shows no pools');
  expect((await top('me')).stderr).toContain('top takes a process id; got me');
});

test('a process shows its pools once, from whichever thread', async () => {
  stop = await showPools({ tools: bench.pool() });
  await expect(showPools({})).rejects.toThrow(`process ${process.pid} shows its pools already`);
  expect(JSON.parse((await top('--json')).stdout).pools).toHaveProperty('tools');
});

test('a folder that others can enter is refused', async () => {
  fs.mkdirSync(folder, { mode: 0o755 });
  await expect(showPools({ tools: bench.pool() })).rejects.toThrow('must belong to you alone');
});

test('the socket is for its user alone, goes at the end, and does not keep Node alive', async () => {
  stop = await showPools({ tools: bench.pool() });
  expect(fs.statSync(folder).mode & 0o777).toBe(0o700);
  await stop();
  await stop();
  expect(fs.existsSync(folder)).toBe(false);
  const source = `require('scientist-pool/monitor').showPools({}).then(() => console.log('shown'));`;
  expect(await runNode(source, { env })).toMatchObject({ stdout: 'shown\n', stderr: '', code: 0 });
});
