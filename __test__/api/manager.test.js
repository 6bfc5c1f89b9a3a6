'use strict';

const { createNativeDouble, deferred, failureJson, outcome } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

let ContainerPoolManager;
let double;

beforeEach(() => {
  ({ ContainerPoolManager, double } = loadWithDouble());
});

const nativePool = () => double.pools.at(-1);

describe('getInstance', () => {
  test('makes the singleton on first use, and gives it from then on', () => {
    expect(ContainerPoolManager.instance).toBeNull();
    const pool = ContainerPoolManager.getInstance({ poolSize: 3 });
    expect(ContainerPoolManager.getInstance()).toBe(pool);
    expect(ContainerPoolManager.instance).toBe(pool);
    expect(double.pools).toHaveLength(1);
  });

  test('takes options again if they come to the same', () => {
    const pool = ContainerPoolManager.getInstance({ poolSize: 3, memory: '128m' });
    expect(ContainerPoolManager.getInstance({ memory: 128 * 1024 * 1024, poolSize: 3 })).toBe(pool);
  });

  test('refuses others, and says which differ', () => {
    ContainerPoolManager.getInstance({ poolSize: 3, max: 4 });
    expect(() => ContainerPoolManager.getInstance({ poolSize: 3 })).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('max is 4, not null'),
      }),
    );
  });

  test('assigning null to instance resets it', () => {
    const pool = ContainerPoolManager.getInstance();
    ContainerPoolManager.instance = null;
    expect(ContainerPoolManager.getInstance({ poolSize: 9 })).not.toBe(pool);
  });
});

describe('initialize', () => {
  test('warms the pool; isInitializing tells while it runs', async () => {
    const gate = deferred();
    double.warmUp = () => gate.promise;
    const pool = new ContainerPoolManager({ poolSize: 3 });
    expect(pool.isInitializing).toBe(false);
    const done = pool.initialize();
    expect(pool.isInitializing).toBe(true);
    gate.resolve(null);
    await done;
    expect(pool.isInitializing).toBe(false);
    expect(pool.pool).toHaveLength(3);
  });

  test('is shared by concurrent calls; a later one asks again', async () => {
    const pool = new ContainerPoolManager();
    await Promise.all([pool.initialize(), pool.initialize()]);
    expect(nativePool().initializations).toBe(1);
    await pool.initialize();
    expect(nativePool().initializations).toBe(2);
  });

  test('a failure reaches every caller, and the next call tries again', async () => {
    double.warmUp = async () => failureJson('IMAGE_NOT_FOUND', 'no such image', { image: 'x' });
    const pool = new ContainerPoolManager();
    const calls = await Promise.allSettled([pool.initialize(), pool.initialize()]);
    expect(calls.map(({ reason }) => reason.code)).toEqual(['IMAGE_NOT_FOUND', 'IMAGE_NOT_FOUND']);
    double.warmUp = async () => null;
    await pool.initialize();
  });
});

describe('pool', () => {
  test('is a fresh array of the READY containers', async () => {
    const pool = new ContainerPoolManager();
    await pool.initialize();
    expect(pool.pool).toBeInstanceOf(Array);
    expect(pool.pool).not.toBe(pool.pool);
    expect(pool.pool[0]).toBeInstanceOf(ContainerPoolManager.Container);
  });

  test('one container is one object, also when it is acquired', async () => {
    const pool = new ContainerPoolManager();
    await pool.initialize();
    const [first] = pool.pool;
    expect(pool.pool[0]).toBe(first);
    expect(await pool.acquire()).toBe(first);
  });
});

describe('acquire', () => {
  test('waits as long as the pool says, or the call', async () => {
    const pool = new ContainerPoolManager({ acquireTimeout: 7 });
    await pool.acquire();
    expect(nativePool().acquireTimeoutMs).toBe(7);
    await pool.acquire({ timeout: 9 });
    expect(nativePool().acquireTimeoutMs).toBe(9);
    await pool.acquire({ timeout: Infinity });
    expect(nativePool().acquireTimeoutMs).toBe(0);
  });

  test('an aborted signal ends the wait with its reason', async () => {
    double.lease = () => new Promise(() => {});
    const controller = new AbortController();
    const wait = new ContainerPoolManager().acquire({ signal: controller.signal });
    const reason = new Error('no longer needed');
    controller.abort(reason);
    await expect(wait).rejects.toBe(reason);
  });

  test('one aborted before never begins', async () => {
    const wait = new ContainerPoolManager().acquire({ signal: AbortSignal.abort('no') });
    await expect(wait).rejects.toBe('no');
    expect(nativePool().leased.size).toBe(0);
  });

  test('a container that comes in the instant of the abort is destroyed', async () => {
    const controller = new AbortController();
    const pool = new ContainerPoolManager();
    const container = new double.NativeContainer(nativePool());
    jest.spyOn(nativePool(), 'acquire').mockImplementation(async () => {
      controller.abort();
      return container;
    });
    await expect(pool.acquire({ signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    await pool.shutdown();
    expect(container.destroys).toBe(1);
  });

  test('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    const removed = jest.spyOn(signal, 'removeEventListener');
    await new ContainerPoolManager().acquire({ signal });
    expect(removed).toHaveBeenCalledTimes(1);
  });
});

describe('run', () => {
  test('acquires, executes and destroys', async () => {
    double.program = async () => outcome({ stdout: '42\n' });
    const pool = new ContainerPoolManager();
    const options = { env: { A: 1 }, args: ['x'], timeout: 5, acquireTimeout: 6 };
    expect(await pool.run('print(42)', options)).toMatchObject({ stdout: '42', exitCode: 0 });
    expect(double.jobs[0]).toMatchObject({ env: ['A', '1'], args: ['x'], timeoutMs: 5 });
    expect(nativePool().acquireTimeoutMs).toBe(6);
    await pool.shutdown();
    expect([...nativePool().leased][0].destroys).toBe(1);
  });

  test('takes a command, too', async () => {
    await new ContainerPoolManager().run(['cat'], { stdin: 'x', env: { A: '1' } });
    expect(double.jobs[0]).toMatchObject({ argv: ['cat'], env: ['A', '1'] });
  });

  test('resolves before the removal is done; shutdown waits for it', async () => {
    const gate = deferred();
    double.removal = () => gate.promise;
    const pool = new ContainerPoolManager();
    await pool.run('');
    let closed = false;
    const closing = pool.shutdown().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    gate.resolve(null);
    await closing;
  });

  test('destroys the container of a call that fails, as well', async () => {
    double.program = async () => failureJson('CONTAINER_LOST', 'lost');
    const pool = new ContainerPoolManager();
    await expect(pool.run('')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
    await pool.shutdown();
    expect([...nativePool().leased][0].destroys).toBe(1);
  });

  test('exchanges a container that died before anything was sent to it, once', async () => {
    const unsent = failureJson('CONTAINER_LOST', 'lost', { unsent: true });
    const answers = [unsent, outcome({ stdout: 'from another' }), unsent, unsent];
    double.program = async () => answers.shift();
    const pool = new ContainerPoolManager();
    expect((await pool.run('')).stdout).toBe('from another');
    await expect(pool.run('')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
    await pool.shutdown();
    expect([...nativePool().leased].map(({ destroys }) => destroys)).toEqual([1, 1, 1, 1]);
  });

  test('counts the wait for a container into its timings', async () => {
    const gate = deferred();
    double.lease = () => gate.promise;
    const pool = new ContainerPoolManager();
    const began = performance.now();
    const call = pool.run('');
    setImmediate(() => gate.resolve(null));
    const { timings } = await call;
    const took = performance.now() - began;
    expect(timings.waiting).toBeGreaterThan(0);
    expect(timings.waiting).toBeLessThanOrEqual(took);
    expect(timings.total).toBeCloseTo(4.7 + timings.waiting);
  });

  test('a removal that fails is an error event, and no rejection', async () => {
    double.removal = async () => failureJson('ENGINE_UNAVAILABLE', 'away');
    const pool = new ContainerPoolManager();
    const seen = [];
    pool.on('error', (error, detail) => seen.push([error.code, detail]));
    await pool.run('');
    await pool.shutdown();
    expect(seen).toEqual([['ENGINE_UNAVAILABLE', { during: 'destroy' }]]);
  });
});

describe('shutdown', () => {
  test('gives holders 5 s, or what it is told', async () => {
    const pool = new ContainerPoolManager();
    await pool.shutdown();
    await pool.shutdown({ grace: 0 });
    expect(nativePool().shutdowns).toEqual([5000, 0]);
  });

  test('is shared by concurrent calls', async () => {
    const pool = new ContainerPoolManager();
    await Promise.all([pool.shutdown(), pool.shutdown()]);
    expect(nativePool().shutdowns).toHaveLength(1);
  });

  test('is what await using does', async () => {
    const pool = new ContainerPoolManager();
    await pool[Symbol.asyncDispose]();
    expect(nativePool().shutdowns).toHaveLength(1);
  });
});

describe('poolSize', () => {
  test('can be set, up to max', () => {
    const pool = new ContainerPoolManager({ max: 5 });
    pool.poolSize = 5;
    expect(pool.poolSize).toBe(5);
    expect(nativePool().resizes).toEqual([{ min: 5, max: 5 }]);
    expect(() => {
      pool.poolSize = 6;
    }).toThrow('at most max');
    expect(pool.poolSize).toBe(5);
  });

  test('can be set to a range in which it follows demand, and reads as the target', () => {
    const pool = new ContainerPoolManager({ max: 20 });
    pool.poolSize = { min: 1, max: 20 };
    expect(nativePool().resizes).toEqual([{ min: 1, max: 20 }]);
    expect(pool.poolSize).toBe(1);
    expect(() => {
      pool.poolSize = { min: 1, max: 21 };
    }).toThrow('poolSize.max must be at most max, which is 20; got 21');
    expect(nativePool().resizes).toHaveLength(1);
  });
});

test('image and stats', () => {
  const pool = new ContainerPoolManager({ image: 'python:3.12' });
  expect(pool.image).toBe('python:3.12');
  const engine = { address: 'unix:///double.sock', state: 'healthy', since: 0 };
  expect(pool.stats()).toEqual({ warm: 0, state: 'new', engine });
});

describe('events', () => {
  test('reach listeners by their type, with their fields', () => {
    const pool = new ContainerPoolManager();
    const listener = jest.fn();
    pool.on('acquired', listener);
    nativePool().onEvent('{"type":"acquired","id":"a","warm":true,"waitedMs":0.5}');
    expect(listener).toHaveBeenCalledWith({ id: 'a', warm: true, waitedMs: 0.5 });
  });

  const background =
    '{"type":"error","error":{"code":"ENGINE_ERROR","message":"no"},"during":"create"}';

  test('a background failure is an error event with a PoolError', () => {
    const pool = new ContainerPoolManager();
    const listener = jest.fn();
    pool.on('error', listener);
    nativePool().onEvent(background);
    expect(listener).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'ENGINE_ERROR', message: 'no' }),
      { during: 'create' },
    );
    expect(listener.mock.calls[0][0]).toBeInstanceOf(ContainerPoolManager.PoolError);
  });

  test('how the engine stands is told, with a PoolError where it is not well', () => {
    const pool = new ContainerPoolManager();
    const listener = jest.fn();
    pool.on('engineState', listener);
    const error = { code: 'ENGINE_UNAVAILABLE', message: 'no answer' };
    const health = { state: 'down', since: 5 };
    nativePool().onEvent(JSON.stringify({ type: 'engineState', ...health, error }));
    expect(listener).toHaveBeenCalledWith({ ...health, error: expect.objectContaining(error) });
    expect(listener.mock.calls[0][0].error).toBeInstanceOf(ContainerPoolManager.PoolError);
  });

  test('and throws nothing where nobody listens', () => {
    new ContainerPoolManager();
    expect(() => nativePool().onEvent(background)).not.toThrow();
  });

  test('a listener that throws does not throw into native code', () => {
    const pool = new ContainerPoolManager();
    const nextTick = jest.spyOn(process, 'nextTick').mockImplementation(() => {});
    pool.on('lost', () => {
      throw new Error('mine');
    });
    expect(() => nativePool().onEvent('{"type":"lost","id":"a"}')).not.toThrow();
    const [later] = nextTick.mock.calls.at(-1);
    nextTick.mockRestore();
    expect(later).toThrow('mine');
  });
});

describe('the plain functions', () => {
  test('work on the singleton', async () => {
    const { initialize, acquire, execute, destroy, shutdown, run } = ContainerPoolManager;
    await initialize();
    expect(ContainerPoolManager.instance).not.toBeNull();
    const container = await acquire({ timeout: 9 });
    expect(await execute(container, 'print(1)', { A: 1 }, ['x'])).toMatchObject({ exitCode: 0 });
    expect(await execute(container.id, ['true'], { timeout: 5 })).toMatchObject({ exitCode: 0 });
    expect(double.jobs.map(({ args, timeoutMs }) => [args, timeoutMs])).toEqual([
      [['x'], 600_000],
      [[], 5],
    ]);
    await destroy(container.id);
    expect(container.status).toBe('TERMINATED');
    await destroy(container);
    expect(await run('')).toMatchObject({ exitCode: 0 });
    await shutdown({ grace: 3 });
    expect(nativePool().shutdowns).toEqual([3]);
  });

  test('all return Promises, also for wrong arguments', () => {
    const { acquire, execute, destroy, run, shutdown } = ContainerPoolManager;
    for (const wrong of [() => acquire(1), execute, destroy, run, () => shutdown(1)]) {
      const promise = wrong();
      expect(promise).toBeInstanceOf(Promise);
      promise.catch(() => undefined);
    }
  });

  test('an id of no live container: destroy is done, execute says CONTAINER_TERMINATED', async () => {
    const { execute, destroy } = ContainerPoolManager;
    const gone = { code: 'CONTAINER_TERMINATED', containerId: 'ab12' };
    await destroy('ab12');
    await expect(execute('ab12', '')).rejects.toMatchObject(gone);
    ContainerPoolManager.getInstance();
    await destroy('ab12');
    await expect(execute('ab12', '')).rejects.toMatchObject(gone);
  });

  test('those that end things make no pool to do so', async () => {
    await ContainerPoolManager.shutdown();
    await ContainerPoolManager.destroy('ab12');
    expect(ContainerPoolManager.instance).toBeNull();
  });
});

test('two loads of the package have nothing in common', () => {
  const other = loadWithDouble(createNativeDouble());
  ContainerPoolManager.getInstance();
  expect(other.ContainerPoolManager.instance).toBeNull();
});
