'use strict';

// The image is not there, or can't be had. All who wait get one error, with the image's name (invariant
// 4); pulls of one image are one; the next try works. With real registries: `engine/pull.test.js`.

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { INSPECT_IMAGE, PULL } = CALLS;
const image = 'registry.test/team/py:1';

const failed = (message) => ({
  code: 'IMAGE_PULL_FAILED',
  image,
  message: expect.stringContaining(message),
});

const layers = [
  { status: 'Pulling from team/py', id: '1' },
  { status: 'Downloading', id: 'abc', progressDetail: { current: 5, total: 9 } },
];

/** A pull that answers 200, reports two steps, and then does what `then` says. */
const reports = (then) => (call) => {
  call.begin(200);
  call.report(...layers);
  return then(call);
};

it('a pull is one, however many pools want the image, and each sees its progress', async () => {
  const { engine } = bench;
  let pull;
  engine.on(PULL, (call) => {
    pull = call;
  });
  const pools = Array.from({ length: 3 }, () => bench.pool({ image, poolSize: 1 }));
  const seen = pools.map(() => []);
  pools.forEach((pool, at) => {
    pool.on('pull', ({ layer, current, total }) => seen[at].push([layer, current, total]));
  });
  const initialized = Promise.all(pools.map((pool) => pool.initialize()));
  await until(() => pull && engine.count(INSPECT_IMAGE) === 3);
  // All three are told that the engine has no such image; let the last of them join.
  await until(() => pools.every((pool) => pool.stats().initializing));
  await new Promise((resolve) => setTimeout(resolve, 50));
  pull.begin(200);
  pull.report(...layers);
  await until(() => seen.every((steps) => steps.length === 2));
  engine.images.add(image);
  pull.end();
  await initialized;
  expect(engine.count(PULL)).toBe(1);
  for (const steps of seen) {
    expect(steps).toEqual([
      [null, null, null],
      ['abc', 5, 9],
    ]);
  }
});

describe('a pull fails, names its image, and the next try works', () => {
  it.each([
    [
      'an error record in an answer that began as a success',
      reports((call) => {
        call.report({ errorDetail: { message: 'layer gone' }, error: 'layer gone' });
        call.end();
      }),
      failed('layer gone'),
    ],
    [
      'an error record of an older engine',
      reports((call) => {
        call.report({ error: 'layer gone' });
        call.end();
      }),
      failed('layer gone'),
    ],
    [
      'an image that the registry does not have',
      reports((call) => {
        const message = `manifest for ${image} not found: manifest unknown`;
        call.report({ errorDetail: { message }, error: message });
        call.end();
      }),
      { code: 'IMAGE_NOT_FOUND', image },
    ],
    [
      'an answer cut off half-way',
      reports((call) => call.close()),
      failed('connection to the engine'),
    ],
    ['an end without the image', reports((call) => call.end()), failed('without the image')],
    ['an answer that is no report', (call) => call.answer(200, '<html>'), failed("can't be read")],
    [
      'a registry that wants a login',
      (call) => call.refuse(500, 'Head "https://registry.test/v2/": unauthorized: 401'),
      { ...failed('docker login'), statusCode: 500 },
    ],
    [
      'a registry that can not be reached',
      (call) => call.refuse(500, 'dial tcp 192.0.2.1:443: i/o timeout'),
      failed('i/o timeout'),
    ],
    [
      'a repository that is not there',
      (call) => call.refuse(404, 'pull access denied for team/py, repository does not exist'),
      { code: 'IMAGE_NOT_FOUND', image, statusCode: 404 },
    ],
  ])('%s', async (_, handler, error) => {
    const { engine } = bench;
    engine.on(PULL, handler, { times: 2 });
    const pool = bench.pool({ image, poolSize: 1 });
    await expect(pool.initialize()).rejects.toMatchObject(error);
    await expect(pool.acquire()).rejects.toMatchObject(error);
    await pool.initialize();
    expect(pool.stats()).toMatchObject({ warm: 1, state: 'healthy' });
    expect(engine.count(PULL)).toBe(3);
  });
});

it('a pull that stalls ends at pullTimeout, and its connection with it', async () => {
  const { engine } = bench;
  let pull;
  const stalls = reports((call) => {
    pull = call;
  });
  engine.on(PULL, stalls, { times: 1 });
  const pool = bench.pool({ image, poolSize: 1, pullTimeout: 200 });
  const error = { ...failed('200 ms'), timeout: 200 };
  await expect(pool.initialize()).rejects.toMatchObject(error);
  await until(() => pull.abandoned);
  await pool.initialize();
});

it('a pull that fails is not tried again in the background', async () => {
  const { engine } = bench;
  engine.on(PULL, (call) => call.refuse(500, 'no'));
  const pool = bench.pool({ image, poolSize: 1 });
  await expect(pool.initialize()).rejects.toMatchObject({ code: 'IMAGE_PULL_FAILED' });
  // Longer than the first few delays of the refill.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(engine.count(PULL)).toBe(1);
});

it('a pull fails for all in line at once', async () => {
  const { engine } = bench;
  const release = engine.hold(INSPECT_IMAGE);
  engine.on(PULL, (call) => call.refuse(500, 'unauthorized'), { times: 1 });
  const pool = bench.pool({ image });
  const calls = Array.from({ length: 10 }, () =>
    expect(pool.acquire()).rejects.toMatchObject(failed('docker login')),
  );
  await until(() => engine.count(INSPECT_IMAGE) === 1);
  release();
  await Promise.all(calls);
  expect(engine.count(PULL)).toBe(1);
});

it('an image that the engine lost meanwhile is pulled again by the next caller', async () => {
  const { engine } = bench;
  const pool = bench.pool({ poolSize: 0 });
  await pool.acquire();
  engine.images.clear();
  await expect(pool.acquire()).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    image: 'python:3.9-slim',
  });
  await pool.acquire();
  expect(engine.count(PULL)).toBe(1);
});
