'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { tracingChannel } = require('node:diagnostics_channel');
const { Readable } = require('node:stream');

const { runNode } = require('../support/node');
const { until } = require('../../harness/until');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();
const IMAGE = 'python:3.9-slim';

const subscriptions = [];
/** Notes what a channel tells from now on: `[step, message as it was then]`. `begun` gets each that begins. */
function listen(name, begun = () => undefined) {
  const channel = tracingChannel(`scientist-pool:${name}`);
  const told = [];
  const listeners = Object.fromEntries(
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((step) => [
      step,
      (message) => {
        told.push([step, { ...message }]);
        if (step === 'start') begun(message);
      },
    ]),
  );
  channel.subscribe(listeners);
  subscriptions.push(() => channel.unsubscribe(listeners));
  return told;
}
afterEach(() => {
  for (const unsubscribe of subscriptions.splice(0)) unsubscribe();
});

const steps = (told) => told.map(([step]) => step);
const SUCCESS = ['start', 'end', 'asyncStart', 'asyncEnd'];
const FAILURE = ['start', 'end', 'error', 'asyncStart', 'asyncEnd'];

test('an acquire is told, with the container it came to', async () => {
  const told = listen('acquire');
  const container = await bench.pool({ poolSize: 0 }).acquire({ timeout: 9000 });
  expect(steps(told)).toEqual(SUCCESS);
  expect(told[0][1]).toEqual({ image: IMAGE, timeout: 9000 });
  expect(told.at(-1)[1]).toEqual({
    image: IMAGE,
    timeout: 9000,
    result: { containerId: container.id },
  });
});

test('an acquire that fails is told with its error', async () => {
  bench.engine.fail('create', { message: 'disk full' });
  const told = listen('acquire');
  const error = await bench
    .pool({ poolSize: 0 })
    .acquire()
    .catch((reason) => reason);
  expect(steps(told)).toEqual(FAILURE);
  expect(told.at(-1)[1].error).toBe(error);
});

test('a call is told with how it ended', async () => {
  bench.engine.reply('', { exitCode: 3 });
  const told = listen('execute');
  const container = await bench.pool({ poolSize: 0 }).acquire();
  await container.execute('1', {}, [], { timeout: 5000 });
  await container.execute(['ls']);
  expect(steps(told)).toEqual([...SUCCESS, ...SUCCESS]);
  const common = { image: IMAGE, containerId: container.id };
  expect(told[0][1]).toEqual({ ...common, kind: 'script', timeout: 5000 });
  expect(told[3][1].result).toMatchObject({ exitCode: 3, reason: 'exit', path: 'warm' });
  expect(told[4][1]).toEqual({ ...common, kind: 'command', timeout: 600_000 });
});

describe('files', () => {
  test('are told with how many there were, and their bytes', async () => {
    const told = listen('files');
    const container = await bench.pool({ poolSize: 0 }).acquire();
    await container.writeFiles({ a: 'ä', b: Readable.from(['12', '345']) }, { timeout: 5000 });
    await container.readFile('b');
    await container.readFiles('*', { encoding: 'utf8' });
    expect(steps(told)).toEqual([...SUCCESS, ...SUCCESS, ...SUCCESS]);
    const common = { image: IMAGE, containerId: container.id };
    expect(told[0][1]).toEqual({ ...common, operation: 'writeFiles', timeout: 5000 });
    const ends = told.filter(([step]) => step === 'asyncEnd').map(([, message]) => message);
    expect(ends).toEqual([
      { ...common, operation: 'writeFiles', timeout: 5000, result: { files: 2, bytes: 7 } },
      { ...common, operation: 'readFile', timeout: 600_000, result: { files: 1, bytes: 5 } },
      { ...common, operation: 'readFiles', timeout: 600_000, result: { files: 2, bytes: 7 } },
    ]);
  });

  test('that fail are told with their error', async () => {
    const told = listen('files');
    const container = await bench.pool({ poolSize: 0 }).acquire();
    const error = await container.readFile('none').catch((reason) => reason);
    expect(steps(told)).toEqual(FAILURE);
    expect(told.at(-1)[1].error).toBe(error);
  });

  test('of a run are told before and after its call', async () => {
    const order = [];
    const told = ['files', 'execute'].map((name) => listen(name, (message) => order.push(message)));
    await bench.pool({ poolSize: 0 }).run('1', { files: { a: 'x' }, collect: 'a', timeout: 5000 });
    expect(told.map(steps)).toEqual([[...SUCCESS, ...SUCCESS], SUCCESS]);
    expect(order.map(({ operation, kind, timeout }) => [operation ?? kind, timeout])).toEqual([
      ...[
        ['writeFiles', 5000],
        ['script', 5000],
        ['readFiles', 5000],
      ],
    ]);
  });
});

test('nothing that may be secret is told', async () => {
  const told = ['acquire', 'create', 'execute', 'files', 'destroy'].map((name) => listen(name));
  const secret = 'correct horse battery staple';
  bench.engine.reply('', { stdout: secret, stderr: secret });
  const pool = bench.pool({ poolSize: 0 });
  const files = { [secret]: secret };
  await pool.run(`# ${secret}`, { env: { KEY: secret }, args: [secret], files, collect: secret });
  await pool.run(['echo', secret], { env: { KEY: secret }, stdin: secret });
  expect(told.flat().length).toBeGreaterThan(20);
  expect(JSON.stringify(told)).not.toContain(secret);
});

test('a removal is told once, however many share it', async () => {
  const told = listen('destroy');
  const container = await bench.pool({ poolSize: 0 }).acquire();
  await Promise.all([container.destroy(), container.destroy()]);
  await container.destroy();
  expect(steps(told)).toEqual(SUCCESS);
  expect(told[0][1]).toEqual({ image: IMAGE, containerId: container.id });
});

test('a create is told when it is over, with its times', async () => {
  const told = listen('create');
  const before = Date.now();
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  await until(() => told.length > 0);
  expect(steps(told)).toEqual(SUCCESS);
  const { startTime, duration, ...rest } = told[0][1];
  expect(rest).toEqual({ image: IMAGE, result: { containerId: bench.engine.ids[0] } });
  expect(duration).toBeGreaterThan(0);
  expect(startTime).toBeGreaterThanOrEqual(before - 1);
});

test('a create that fails is told with its error', async () => {
  bench.engine.fail('create', { message: 'disk full' });
  const told = listen('create');
  await bench
    .pool()
    .initialize()
    .catch(() => undefined);
  await until(() => told.length > 0);
  expect(steps(told).slice(0, 5)).toEqual(FAILURE);
  expect(told[0][1]).toMatchObject({
    startTime: null,
    duration: null,
    error: { code: 'ENGINE_ERROR' },
  });
});

describe('a pull', () => {
  const image = 'registry.test/team/py:1';

  test('is told when it is over, with its times', async () => {
    const told = listen('pull');
    await bench.pool({ image, poolSize: 1 }).initialize();
    await until(() => told.length > 0);
    expect(steps(told)).toEqual(SUCCESS);
    expect(told[0][1]).toEqual({
      image,
      startTime: expect.any(Number),
      duration: expect.any(Number),
      result: {},
    });
  });

  test('that fails is told with its error', async () => {
    bench.engine.fail('pull', { message: 'connection reset by the registry' });
    const told = listen('pull');
    await bench
      .pool({ image, poolSize: 1 })
      .initialize()
      .catch(() => undefined);
    await until(() => told.length > 0);
    expect(steps(told)).toEqual(FAILURE);
    expect(told[0][1]).toMatchObject({ image, error: { code: 'IMAGE_PULL_FAILED' } });
  });
});

test("a call is told in its caller's asynchronous context", async () => {
  const storage = new AsyncLocalStorage();
  const seen = [];
  const channel = tracingChannel('scientist-pool:execute');
  const note = () => seen.push(storage.getStore());
  channel.subscribe({ start: note, asyncEnd: note });
  subscriptions.push(() => channel.unsubscribe({ start: note, asyncEnd: note }));
  const container = await bench.pool({ poolSize: 0 }).acquire();
  await storage.run('request 7', () => container.execute('1'));
  expect(seen).toEqual(['request 7', 'request 7']);
});

test('promises and results are as they are without a subscriber', async () => {
  for (const name of ['acquire', 'execute', 'files', 'destroy']) listen(name);
  bench.engine.reply('', { stdout: 'out' });
  const pool = bench.pool({ poolSize: 0 });
  const acquired = pool.acquire();
  expect(acquired).toBeInstanceOf(Promise);
  const container = await acquired;
  expect(await container.execute('1')).toMatchObject({ stdout: 'out' });
  expect(await container.writeFiles({ a: 'x' })).toBeUndefined();
  expect(await container.readFile('a', 'utf8')).toBe('x');
  bench.engine.reply('', {});
  await container.destroy();
  const error = await container.execute('1').catch((reason) => reason);
  expect(error).toMatchObject({ code: 'CONTAINER_TERMINATED' });
  expect(error.stack).toContain(__filename);
});

describe('without subscribers', () => {
  test('no message is made', async () => {
    const { trace } = require('../../lib/diagnostics');
    const describe = jest.fn(() => ({}));
    const summarize = jest.fn();
    const value = {};
    expect(trace('acquire', describe, () => value, summarize)).toBe(value);
    expect(describe).not.toHaveBeenCalled();
    expect(summarize).not.toHaveBeenCalled();
  });
});

describe('NODE_DEBUG=scientist-pool', () => {
  const program = `
    const { FakeEngine } = require('scientist-pool/testing');
    const Pool = require('scientist-pool');
    (async () => {
      const engine = await FakeEngine.start();
      const pool = new Pool({ engine: engine.address, poolSize: 1 });
      await pool.initialize();
      const container = await pool.acquire();
      await container.execute('print("secret 1")', { KEY: 'secret 2' }, ['secret 3']);
      await container.destroy();
      await container.execute('1').catch(() => {});
      await pool.shutdown();
      await engine.close();
    })();`;

  test('writes what happens to stderr, and no secrets', async () => {
    const { stderr, code } = await runNode(program, { env: { NODE_DEBUG: 'scientist-pool' } });
    expect(code).toBe(0);
    const lines = stderr.match(/^SCIENTIST-POOL \d+: .*/gm).map((line) => line.split(': ')[1]);
    const begins = (words) => lines.some((line) => line.startsWith(words));
    for (const words of [
      'engine',
      'created',
      'ready',
      'acquire took',
      'execute took',
      'destroy took',
    ]) {
      expect([words, begins(words)]).toEqual([words, true]);
    }
    expect(stderr).toMatch(/execute failed after \d+ ms: CONTAINER_TERMINATED/);
    expect(stderr).not.toContain('secret');
  });

  test('not set, nothing is written', async () => {
    expect(await runNode(program)).toMatchObject({ stderr: '', code: 0 });
  });
});
