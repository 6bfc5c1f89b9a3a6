'use strict';

const { FakeEngine } = require('scientist-pool/testing');
const ContainerPoolManager = require('scientist-pool');

const { until } = require('../support/until');

let engine;
let pool;
beforeEach(async () => {
  engine = await FakeEngine.start();
  pool = new ContainerPoolManager({ engine: engine.address, poolSize: 0 });
});
afterEach(async () => {
  await pool.shutdown({ grace: 0 });
  await engine.close();
});

test('an engine can be told to refuse, so many times', async () => {
  engine.fail('create', { status: 507, message: 'no space left on device', times: 1 });
  const call = pool.acquire();
  await expect(call).rejects.toMatchObject({ code: 'ENGINE_ERROR', statusCode: 507 });
  await expect(call).rejects.toThrow('no space left on device');
  await pool.run('1');
});

test('an image can be missing', async () => {
  engine.images.clear();
  engine.fail('pull', { status: 404, message: 'no such image' });
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});

test.each([
  ['registry.test:5000/team/py', 'registry.test:5000/team/py:latest'],
  ['python:3.13-slim', 'python:3.13-slim'],
  [`python@sha256:${'a'.repeat(64)}`, `python@sha256:${'a'.repeat(64)}`],
])('the image %s is pulled where it is missing', async (image, known) => {
  const other = new ContainerPoolManager({ engine: engine.address, image, poolSize: 0 });
  await other.run('1');
  await other.shutdown();
  expect([...engine.images]).toContain(known);
  expect(engine.count('pull')).toBe(1);
});

test('an engine can be slow', async () => {
  engine.delay('create', 50, { times: 1 });
  const began = performance.now();
  await pool.run('1');
  expect(performance.now() - began).toBeGreaterThanOrEqual(49);
});

test('calls can be held, and let go', async () => {
  const release = engine.hold('create');
  const waiting = pool.acquire();
  await until(() => engine.count('create') === 1);
  expect(engine.made).toBe(0);
  release();
  await (await waiting).destroy();
});

test('an engine can vanish and come back', async () => {
  await pool.run('1');
  await engine.vanish();
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  await engine.listen();
  await pool.run('1');
});

test('a container can die', async () => {
  const container = await pool.acquire();
  engine.containers.find(({ id }) => id === container.id).die();
  await expect(container.execute('1')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
});

test('an operation that there is not is an error that names them', () => {
  expect(() => engine.fail('destroy')).toThrow(/no route destroy; its operations are .*remove/);
});
