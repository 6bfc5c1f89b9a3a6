'use strict';

// The package as its users' own tests treat it.

describe('automock', () => {
  let ContainerPoolManager;
  beforeEach(() => {
    jest.resetModules();
    jest.mock('scientist-pool');
    ContainerPoolManager = require('scientist-pool');
  });
  afterEach(() => jest.unmock('scientist-pool'));

  test('mocks the class, its statics and its methods', async () => {
    expect(jest.isMockFunction(ContainerPoolManager)).toBe(true);
    expect(jest.isMockFunction(ContainerPoolManager.getInstance)).toBe(true);
    const container = { execute: jest.fn().mockResolvedValue({ stdout: '1' }), destroy: jest.fn() };
    const pool = new ContainerPoolManager();
    pool.acquire.mockResolvedValue(container);
    ContainerPoolManager.getInstance.mockReturnValue(pool);
    expect(await ContainerPoolManager.getInstance().acquire()).toBe(container);
    expect(pool).toBeInstanceOf(ContainerPoolManager);
  });

  test.each(['initialize', 'acquire', 'run', 'shutdown', 'stats', 'on'])(
    'mocks the method %s',
    (method) => {
      expect(jest.isMockFunction(ContainerPoolManager.prototype[method])).toBe(true);
    },
  );

  test.each(['initialize', 'acquire', 'execute', 'spawn', 'destroy', 'shutdown', 'run'])(
    'mocks the function %s',
    (name) => {
      expect(jest.isMockFunction(ContainerPoolManager[name])).toBe(true);
      expect(ContainerPoolManager[name]()).toBeUndefined();
    },
  );

  test('mocks Container and its methods, and keeps the class under its own name', () => {
    const { Container } = ContainerPoolManager;
    for (const method of ['execute', 'executeCommand', 'spawn', 'destroy']) {
      expect(jest.isMockFunction(Container.prototype[method])).toBe(true);
    }
    expect(ContainerPoolManager.ContainerPoolManager).toBe(ContainerPoolManager);
    expect(ContainerPoolManager.instance).toBeNull();
  });
});

describe('spyOn', () => {
  const { loadWithDouble } = require('../support/load');
  let ContainerPoolManager;
  beforeEach(() => {
    ({ ContainerPoolManager } = loadWithDouble());
  });
  afterEach(() => jest.restoreAllMocks());

  test('works on statics, and the plain functions go through them', async () => {
    const container = {};
    const stand = { acquire: jest.fn().mockResolvedValue(container) };
    jest.spyOn(ContainerPoolManager, 'getInstance').mockReturnValue(stand);
    expect(await ContainerPoolManager.acquire({ timeout: 1 })).toBe(container);
    expect(stand.acquire).toHaveBeenCalledWith({ timeout: 1 });
  });

  test('works on the methods of the pool', async () => {
    const spy = jest.spyOn(ContainerPoolManager.prototype, 'acquire');
    await ContainerPoolManager.acquire();
    expect(spy).toHaveBeenCalledTimes(1);
    spy.mockResolvedValue('stand-in');
    expect(await ContainerPoolManager.getInstance().acquire()).toBe('stand-in');
  });

  test('works on the methods and accessors of Container', async () => {
    const { Container } = ContainerPoolManager;
    const container = await ContainerPoolManager.acquire();
    jest.spyOn(Container.prototype, 'execute').mockResolvedValue({ stdout: 'mocked' });
    jest.spyOn(Container.prototype, 'status', 'get').mockReturnValue('TERMINATED');
    expect(await container.execute('')).toEqual({ stdout: 'mocked' });
    expect(container.status).toBe('TERMINATED');
  });

  test('run survives a destroy that is mocked away', async () => {
    jest.spyOn(ContainerPoolManager.Container.prototype, 'destroy').mockImplementation(() => {});
    expect(await ContainerPoolManager.run('')).toMatchObject({ exitCode: 0 });
    await ContainerPoolManager.shutdown();
  });

  test('a stand-in can be put in place of the singleton', async () => {
    const stand = { acquire: async () => 'x', shutdown: jest.fn() };
    ContainerPoolManager.instance = stand;
    expect(ContainerPoolManager.getInstance({ poolSize: 7 })).toBe(stand);
    expect(await ContainerPoolManager.acquire()).toBe('x');
    await ContainerPoolManager.destroy('ab12');
    await ContainerPoolManager.shutdown();
    expect(stand.shutdown).toHaveBeenCalledTimes(1);
  });
});

describe('resetModules', () => {
  test('gives a package without an instance, whose classes are its own', async () => {
    const { loadWithDouble } = require('../support/load');
    const first = loadWithDouble().ContainerPoolManager;
    const container = await first.acquire();
    jest.resetModules();
    const second = loadWithDouble().ContainerPoolManager;
    expect(second).not.toBe(first);
    expect(second.instance).toBeNull();
    // What one of them made, the other takes: it goes by what a container can do.
    expect(await second.execute(container, '')).toMatchObject({ exitCode: 0 });
    await second.destroy(container);
    expect(container.status).toBe('TERMINATED');
  });
});

test('errors, arrays and promises are those of the realm that loaded the package', async () => {
  const { loadWithDouble } = require('../support/load');
  const { ContainerPoolManager, double } = loadWithDouble();
  const pool = new ContainerPoolManager();
  expect(pool.pool).toBeInstanceOf(Array);
  expect(pool.stats()).toBeInstanceOf(Object);
  expect(pool.acquire()).toBeInstanceOf(Promise);
  double.lease = async () => '{"code":"POOL_CLOSED","message":"closed"}';
  const error = await pool.acquire().catch((e) => e);
  expect(error).toBeInstanceOf(Error);
  expect(error).toBeInstanceOf(ContainerPoolManager.PoolError);
});
