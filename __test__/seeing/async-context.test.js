'use strict';

// What the pool does by itself belongs to no request, whoever made the pool.

const { AsyncLocalStorage } = require('node:async_hooks');
const { tracingChannel } = require('node:diagnostics_channel');

const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();
const storage = new AsyncLocalStorage();

/** A pool of one container, made and initialized within a request. */
function poolOfRequest(options = {}) {
  return storage.run('request', async () => {
    const pool = bench.pool({ poolSize: 1, ...options });
    await pool.initialize();
    return pool;
  });
}

/** The context in which an event is told. */
const contextOf = (pool, event) =>
  new Promise((resolve) => pool.once(event, () => resolve(storage.getStore())));

test('an event has no caller', async () => {
  const pool = await poolOfRequest();
  const context = contextOf(pool, 'created');
  pool.poolSize = 2;
  expect(await context).toBeUndefined();
});

test('a leak has no caller', async () => {
  const pool = await poolOfRequest({ leakTimeout: 1 });
  const context = contextOf(pool, 'leak');
  const container = await storage.run('holder', () => pool.acquire());
  expect(await context).toBeUndefined();
  await container.destroy();
});

/** The context in which a channel tells the next end. */
const contextOfNext = (name) =>
  new Promise((resolve) => {
    const channel = tracingChannel(`scientist-pool:${name}`);
    const listeners = {
      asyncEnd() {
        channel.unsubscribe(listeners);
        resolve(storage.getStore());
      },
    };
    channel.subscribe(listeners);
  });

test('a create that is told has no caller', async () => {
  const pool = await poolOfRequest();
  const context = contextOfNext('create');
  pool.poolSize = 2;
  expect(await context).toBeUndefined();
});

test('what a listener enters does not stay for the next event', async () => {
  const pool = await poolOfRequest();
  pool.once('created', () => storage.enterWith('listener'));
  const first = contextOf(pool, 'created');
  pool.poolSize = 2;
  expect(await first).toBe('listener');
  const second = contextOf(pool, 'created');
  pool.poolSize = 3;
  expect(await second).toBeUndefined();
});

test('a removal behind a call has that call', async () => {
  const pool = await poolOfRequest();
  const context = contextOfNext('destroy');
  await storage.run('other', () => pool.run('1'));
  expect(await context).toBe('other');
});

// From Node 24 on no resource holds the stores, and the context of the first load can't be left.
const [major] = process.versions.node.split('.').map(Number);
(major < 24 ? test : test.skip)(
  'a package first loaded within a request keeps nothing of it',
  () => {
    jest.isolateModules(() => {
      const load = () => require('../../lib/no-caller');
      const { withoutCaller } = storage.run('request', load);
      expect(withoutCaller(() => storage.getStore())).toBeUndefined();
    });
  },
);
