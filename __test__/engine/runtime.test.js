'use strict';

// The OCI runtime that containers of the local engine run under.

const { Pools, RUNTIME, address } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

const onLocal = address() === 'local';
const testLocal = onLocal ? test : test.skip;

async function told(options) {
  const pool = pools.make({ poolSize: 0, ...options });
  const event = new Promise((resolve) => pool.once('engine', resolve));
  await pool.initialize();
  return (await event).engine.runtime;
}

testLocal.each(['no-such-runtime', '/no/such/runtime'])(
  '%s, which is not there, is named before anything is started',
  (runtime) => {
    const refused = {
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining(`'${runtime}'`),
    };
    expect(() => pools.make({ runtime })).toThrow(expect.objectContaining(refused));
  },
);

testLocal('a program that is none is named when a container is made', async () => {
  const pool = pools.make({ poolSize: 0, runtime: '/bin/true' });
  await pool.initialize();
  await expect(pool.acquire()).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    message: expect.stringContaining('/bin/true'),
  });
});

(onLocal && RUNTIME ? test : test.skip)('the event engine tells its file and version', async () => {
  expect(await told()).toEqual({
    path: expect.stringMatching(`^/.*/${RUNTIME}$`),
    version: expect.stringMatching(/\d+\.\d+/),
  });
});

(RUNTIME ? test.skip : test)('without one the event engine tells none', async () => {
  expect(await told()).toBeNull();
});
