'use strict';

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { showPools } = require('scientist-pool/monitor');

const { main } = require('../../cli/main');
const places = require('../../observing/monitor/places');
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
  await runNode(
    `require('net').createServer().listen(${JSON.stringify(path.join(folder, '1.sock'))}, () => process.kill(process.pid, 'SIGKILL'));`,
  );
  expect(fs.readdirSync(folder)).toEqual(['1.sock']);
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

describe("a folder that is not the user's alone", () => {
  /** Somebody who was there first: shows what it likes, and counts who comes. */
  async function squat(place) {
    let visitors = 0;
    const server = net.createServer(() => {
      visitors += 1;
    });
    await new Promise((resolve) => server.listen(path.join(place, '1.sock'), resolve));
    return {
      visitors: () => visitors,
      leave: () => new Promise((resolve) => server.close(resolve)),
    };
  }

  test.each([
    [
      'others can enter it',
      () => {
        fs.mkdirSync(folder);
        fs.chmodSync(folder, 0o777);
      },
    ],
    [
      'it is a link',
      () => {
        fs.mkdirSync(path.join(runtime, 'elsewhere'), { mode: 0o700 });
        fs.symlinkSync(path.join(runtime, 'elsewhere'), folder);
      },
    ],
  ])('is refused from both sides, and left as it is: %s', async (_, make) => {
    make();
    const squatter = await squat(folder);
    const refusal = 'must be a folder, no link, that belongs to you alone (mode 700)';
    await expect(showPools({ tools: bench.pool() })).rejects.toThrow(refusal);
    for (const args of [[], ['1']]) {
      const { stderr, code } = await top(...args);
      expect(stderr).toContain(refusal);
      expect(code).toBe(125);
    }
    expect(squatter.visitors()).toBe(0);
    expect(fs.readdirSync(folder)).toEqual(['1.sock']);
    await squatter.leave();
    fs.rmSync(path.join(runtime, 'elsewhere'), { recursive: true, force: true });
  });

  test('is refused where another user could exchange it', () => {
    fs.mkdirSync(folder, { mode: 0o700 });
    const stat = jest.spyOn(fs, 'statSync').mockReturnValue({ uid: 4242 });
    try {
      expect(() => places.pids()).toThrow(`${runtime} belongs to another user`);
    } finally {
      stat.mockRestore();
    }
  });
});

describe('whatever a process shows', () => {
  /** Another process, as far as its socket tells, which answers with this. */
  async function answering(...lines) {
    fs.mkdirSync(folder, { mode: 0o700 });
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      // Sees the other end go.
      socket.resume();
      for (const line of lines) socket.write(line);
    });
    await new Promise((resolve) => server.listen(path.join(folder, '1.sock'), resolve));
    stop = () => new Promise((resolve) => server.close(resolve));
  }

  const stats = {
    ...{ state: 'healthy', warm: 1, poolSize: 1, creating: 0, leased: 0, destroying: 0 },
    ...{ waiting: 0, max: 1, callsWarm: 0, callsCold: 0, totals: { lost: 0, errors: 0 } },
    latency: { create: { count: 0 } },
  };

  test('has nothing in it that a terminal obeys', async () => {
    const name = 'x\x1b[2J\x1b]52;c;cm0gLXJm\x07\x9b1m\u202ename';
    await answering(`${JSON.stringify({ pid: '1\x1b]0;title\x07', pools: { [name]: stats } })}\n`);
    const table = await top();
    expect(table.stdout).toContain(String.raw`x\x1b[2J\x1b]52;c;cm0gLXJm\x07\x9b1m\u{202e}name`);
    const json = await top('--json');
    expect(Object.keys(JSON.parse(json.stdout).pools)).toEqual([name]);
    for (const { stdout } of [table, json]) expect(stdout).not.toMatch(/[^\P{C}\n]/u);
  });

  test.each([['no JSON'], ['null'], ['{"pools":{"a":{}}}'], ['{"pools":{"a":null}}']])(
    'is told where it is no list of pools: %s',
    async (line) => {
      await answering(`${line}\n`);
      const { stderr, stdout, code } = await top();
      expect(stderr).toBe('scientist-pool: process 1 shows what is no list of pools\n');
      expect({ stdout, code }).toEqual({ stdout: '', code: 125 });
    },
  );

  test('is not read for ever where a line has no end', async () => {
    await answering(...Array(5).fill('x'.repeat(2 ** 20)));
    expect((await top()).stderr).toContain('process 1 shows what is no list of pools');
  });
});

describe('whoever looks', () => {
  const connect = () => net.connect(places.placeOf(process.pid));
  const closed = (socket) => new Promise((resolve) => socket.on('close', resolve));

  test('has one answer at a time, however often it asks', async () => {
    let looks = 0;
    stop = await showPools(() => {
      looks += 1;
      return { ['x'.repeat(2 ** 20)]: bench.pool() };
    });
    const socket = connect();
    const asked = new Promise((resolve) => socket.end('\n'.repeat(2 ** 20), resolve));
    await until(() => looks === 1);
    let lines = 0;
    socket.on('data', (chunk) => {
      lines += chunk.toString().split('\n').length - 1;
    });
    await asked;
    await closed(socket);
    expect(looks).toBe(lines);
    // One for each piece that Node reads, of 64 KiB.
    expect(looks).toBeLessThanOrEqual(64);
  });

  test('is one of sixteen at most', async () => {
    stop = await showPools({});
    const sockets = Array.from({ length: 16 }, connect);
    await Promise.all(
      sockets.map(
        (socket) =>
          new Promise((resolve) => {
            socket.once('data', resolve).write('\n');
          }),
      ),
    );
    const one = connect().on('error', () => {});
    await closed(one);
    for (const socket of sockets) socket.destroy();
  });

  test('is not listened to when a line has no end', async () => {
    let looks = 0;
    stop = await showPools(() => {
      looks += 1;
      return {};
    });
    const socket = connect().on('error', () => {});
    socket.write('x'.repeat(2000));
    await closed(socket);
    expect(looks).toBe(0);
  });

  test('is let go where the pools can not be had', async () => {
    stop = await showPools(() => {
      throw new Error('no pools');
    });
    const socket = connect().on('error', () => {});
    socket.write('\n');
    await closed(socket);
  });
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
