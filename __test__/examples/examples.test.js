'use strict';

// The examples on the fake engine; `engine/examples.test.js` runs their programs on a real one.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { createApp } = require('../../examples/express/app');
const { solve } = require('../../examples/agent-loop/agent');
const { until } = require('../../harness/until');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

describe('the Express endpoint', () => {
  let server;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** Sends a request to the app on a pool. */
  async function serve(options = {}) {
    const pool = bench.pool({ poolSize: 0, ...options });
    server = createApp(pool).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${server.address().port}`;
    const post = (body, init = {}) =>
      fetch(`${url}/execute`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        ...init,
      });
    return { pool, post, url };
  }

  test('runs a script', async () => {
    bench.engine.reply('', ({ script, env, args }) => ({ stdout: `${script} ${env.A} ${args}` }));
    const { post } = await serve();
    const response = await post({ script: 'code', env: { A: 1 }, args: ['x'] });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      ...{ stdout: 'code 1 x', stderr: '', exitCode: 0, reason: 'exit' },
    });
  });

  test("says what is wrong with the caller's request", async () => {
    const { post } = await serve();
    const response = await post({ script: 42 });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
  });

  test('asks the caller to come again when it is busy', async () => {
    const { pool, post } = await serve({ max: 1, maxWaiting: 0 });
    await pool.acquire();
    const response = await post({ script: '1' });
    expect(response.status).toBe(503);
    expect(response.headers.get('Retry-After')).toBe('1');
  });

  test('keeps the words of the engine to itself', async () => {
    bench.engine.fail('create', { message: 'secret of the host' });
    const { post } = await serve();
    const response = await post({ script: '1' });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
  });

  test('ends the script of a caller that hangs up', async () => {
    bench.engine.reply('', { reason: 'timeout' });
    const { post } = await serve();
    const gone = new AbortController();
    const request = post({ script: '1' }, { signal: gone.signal }).catch((error) => error.name);
    await until(() => bench.engine.calls.length === 1);
    gone.abort();
    expect(await request).toBe('AbortError');
    await bench.engine.assertEmpty();
  });

  test('tells how the pool stands', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/health`);
    expect(await response.json()).toEqual({ state: 'new', warm: 0, leased: 0, waiting: 0 });
  });
});

describe('the agent loop', () => {
  /** A model that writes these pieces of code, one after the other, and then answers. */
  const writes = (...pieces) =>
    jest.fn(async () => (pieces.length > 0 ? { code: pieces.shift() } : { answer: 'done' }));
  const seen = (model) => model.mock.calls.at(-1)[0].map(({ content }) => content);

  test('runs what the model writes in one container, and shows it what came of it', async () => {
    bench.engine.reply('first', { stdout: 'one' }).reply('second', { stderr: 'no', exitCode: 1 });
    const model = writes('first', 'second', 'third');
    const pool = bench.pool({ poolSize: 0 });
    expect(await solve(model, 'the task', { pool })).toEqual({ answer: 'done', turns: 4 });
    expect(seen(model)).toEqual([
      ...['the task', 'first', 'one', 'second', 'no\n[ended: exit code 1]'],
      ...['third', '(no output)'],
    ]);
    expect(bench.engine.made).toBe(1);
    await bench.engine.assertEmpty();
  });

  test('ends with its container', async () => {
    bench.engine.reply('hungry', { reason: 'lost' });
    const pool = bench.pool({ poolSize: 0 });
    const solving = solve(writes('hungry'), 'the task', { pool });
    await expect(solving).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
    await bench.engine.assertEmpty();
  });

  test('gives up after so many turns', async () => {
    const pool = bench.pool({ poolSize: 0 });
    const model = writes('a', 'b', 'c', 'd');
    expect(await solve(model, 'the task', { pool, mostTurns: 3 })).toEqual({
      answer: null,
      turns: 3,
    });
  });
});

test('the worker pool shares its jobs and its containers out among threads', async () => {
  bench.engine.reply('factors', ({ args: [number] }) => ({ stdout: `factors of ${number}` }));
  const program = path.join(__dirname, '../../examples/worker-pool/main.js');
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, DOCKER_HOST: bench.engine.address },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  expect(stdout.trim().split('\n')).toEqual(
    [12, 97, 360, 1001, 65_537].map((number) => `${number}: factors of ${number}`),
  );
  expect(code).toBe(0);
  expect(bench.engine.peak).toBeLessThanOrEqual(8);
});
