'use strict';

const { failureJson } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

let ContainerPoolManager;
let PoolError;
let double;

beforeEach(() => {
  ({ ContainerPoolManager, double } = loadWithDouble());
  ({ PoolError } = ContainerPoolManager);
});

const fail = (...failure) => {
  double.lease = async () => failureJson(...failure);
  return new ContainerPoolManager();
};

test('a native failure rejects with a PoolError that has all its fields', async () => {
  const pool = fail('ACQUIRE_TIMEOUT', 'No container within 5 ms.', { timeout: 5, image: 'x' });
  const error = await pool.acquire().catch((e) => e);
  expect(error).toBeInstanceOf(PoolError);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'PoolError',
    code: 'ACQUIRE_TIMEOUT',
    timeout: 5,
    image: 'x',
  });
  expect(error.message).toBe('No container within 5 ms.');
  expect('statusCode' in error).toBe(false);
});

test('rejects.toThrow holds', async () => {
  await expect(fail('POOL_CLOSED', 'closed').acquire()).rejects.toThrow(PoolError);
  await expect(fail('POOL_CLOSED', 'closed').acquire()).rejects.toThrow('closed');
});

test('the cause is a PoolError, too', async () => {
  const cause = { code: 'ENGINE_ERROR', message: '500', statusCode: 500 };
  const error = await fail('IMAGE_PULL_FAILED', 'pull', { cause })
    .acquire()
    .catch((e) => e);
  expect(error.cause).toBeInstanceOf(PoolError);
  expect(error.cause).toMatchObject(cause);
});

test("the stack begins at the caller's line", async () => {
  const pool = fail('POOL_CLOSED', 'closed');
  async function caller() {
    return await pool.acquire();
  }
  const { stack } = await caller().catch((e) => e);
  const [head, first] = stack.split('\n');
  expect(head).toBe('PoolError: closed');
  expect(first).toContain('caller');
  expect(first).toContain(__filename);
});

test('so does that of every other call that fails on the native side', async () => {
  const pool = new ContainerPoolManager();
  const container = await pool.acquire();
  const answer = async () => failureJson('ENGINE_ERROR', 'no', { statusCode: 500 });
  Object.assign(double, { program: answer, removal: answer, warmUp: answer, closing: answer });
  const calls = {
    execute: () => container.execute(''),
    executeCommand: () => container.executeCommand(['true']),
    destroy: () => container.destroy(),
    run: () => pool.run(''),
    initialize: () => pool.initialize(),
    shutdown: () => pool.shutdown(),
  };
  for (const [name, call] of Object.entries(calls)) {
    const error = await call().catch((e) => e);
    expect({ name, code: error.code }).toEqual({ name, code: 'ENGINE_ERROR' });
    expect(error.stack.split('\n')[1]).toContain(__filename);
  }
});

test('and that of a call that was given what it does not take', async () => {
  const pool = new ContainerPoolManager();
  const container = await pool.acquire();
  const timeout = 'soon';
  const calls = {
    'new ContainerPoolManager': async () => new ContainerPoolManager({ acquireTimeout: timeout }),
    getInstance: async () => ContainerPoolManager.getInstance({ acquireTimeout: timeout }),
    acquire: () => pool.acquire({ timeout }),
    run: () => pool.run('', { timeout }),
    shutdown: () => pool.shutdown({ grace: timeout }),
    execute: () => container.execute('', {}, [], { timeout }),
    executeCommand: () => container.executeCommand(['true'], { timeout }),
    spawn: async () => container.spawn('', {}, [], { timeout }),
    writeFiles: () => container.writeFiles({}, { timeout }),
    readFile: () => container.readFile('a', { timeout }),
    readFiles: () => container.readFiles('*', { timeout }),
    session: () => container.session({ grace: timeout }),
  };
  for (const [name, call] of Object.entries(calls)) {
    const error = await call().catch((e) => e);
    expect({ name, code: error.code }).toEqual({ name, code: 'INVALID_ARGUMENT' });
    expect({ name, line: error.stack.split('\n')[1] }).toEqual({
      ...{ name, line: expect.stringContaining(__filename) },
    });
  }
});

test('a stack formatted by somebody else is left alone', async () => {
  const original = Error.prepareStackTrace;
  Error.prepareStackTrace = (_, sites) => sites;
  try {
    const error = await fail('POOL_CLOSED', 'closed')
      .acquire()
      .catch((e) => e);
    expect(error.code).toBe('POOL_CLOSED');
  } finally {
    Error.prepareStackTrace = original;
  }
});

test('a panic of the native side is an INTERNAL_ERROR with its cause', async () => {
  const panic = new Error('index out of bounds');
  double.lease = async () => {
    throw panic;
  };
  const error = await new ContainerPoolManager().acquire().catch((e) => e);
  expect(error).toMatchObject({ code: 'INTERNAL_ERROR', cause: panic });
  expect(error.message).toContain('index out of bounds');
});
