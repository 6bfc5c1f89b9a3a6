'use strict';

const ContainerPoolManager = require('scientist-pool');

const { useFakePool } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakePool({ poolSize: 0 });

test('an engine can be told to refuse, so many times', async () => {
  bench.engine.fail('create', { status: 507, message: 'no space left on device', times: 1 });
  const call = bench.pool.acquire();
  await expect(call).rejects.toMatchObject({ code: 'ENGINE_ERROR', statusCode: 507 });
  await expect(call).rejects.toThrow('no space left on device');
  await bench.pool.run('1');
});

test('an image can be missing', async () => {
  bench.engine.images.clear();
  bench.engine.fail('pull', { status: 404, message: 'no such image' });
  await expect(bench.pool.acquire()).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});

test.each([
  ['registry.test:5000/team/py', 'registry.test:5000/team/py:latest'],
  ['python:3.13-slim', 'python:3.13-slim'],
  [`python@sha256:${'a'.repeat(64)}`, `python@sha256:${'a'.repeat(64)}`],
])('the image %s is pulled where it is missing', async (image, known) => {
  const other = new ContainerPoolManager({ engine: bench.engine.address, image, poolSize: 0 });
  await other.run('1');
  await other.shutdown();
  expect([...bench.engine.images]).toContain(known);
  expect(bench.engine.count('pull')).toBe(1);
});

test('an engine can be slow', async () => {
  bench.engine.delay('create', 50, { times: 1 });
  const began = performance.now();
  await bench.pool.run('1');
  expect(performance.now() - began).toBeGreaterThanOrEqual(49);
});

test('calls can be held, and let go', async () => {
  const release = bench.engine.hold('create');
  const waiting = bench.pool.acquire();
  await until(() => bench.engine.count('create') === 1);
  expect(bench.engine.made).toBe(0);
  release();
  await (await waiting).destroy();
});

test('an engine can vanish and come back', async () => {
  await bench.pool.run('1');
  await bench.engine.vanish();
  await expect(bench.pool.acquire()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  await bench.engine.listen();
  await bench.pool.run('1');
});

test('a container can die', async () => {
  const container = await bench.pool.acquire();
  bench.engine.containers.find(({ id }) => id === container.id).die();
  await expect(container.execute('1')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
});

test('an operation that there is not is an error that names them', () => {
  expect(() => bench.engine.fail('destroy')).toThrow(
    /no route destroy; its operations are .*remove/,
  );
});
