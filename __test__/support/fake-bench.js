'use strict';

const { ContainerPoolManager } = require('../..');
const { FakeEngine } = require('./fake-engine');
const { holdLeases } = require('./leases');

/** The calls of the engine's API that tests speak of. */
const CALLS = {
  PING: 'GET /_ping',
  INSPECT_IMAGE: 'GET /images/:name/json',
  PULL: 'POST /images/create',
  CREATE: 'POST /containers/create',
  ATTACH: 'POST /containers/:id/attach',
  START: 'POST /containers/:id/start',
  INSPECT: 'GET /containers/:id/json',
  REMOVE: 'DELETE /containers/:id',
  CREATE_EXEC: 'POST /containers/:id/exec',
};

/**
 * A fake engine for each test of a file, and the pools on it. After each test, its pools are shut down
 * and nothing may be left on its engine.
 */
function useFakeEngine() {
  // Of patience, not of waiting: on a busy machine a container takes its time even here.
  jest.setTimeout(30_000);
  const bench = {
    engine: null,
    pools: [],
    /** A pool on the test's engine. */
    pool(options = {}) {
      const pool = holdLeases(
        new ContainerPoolManager({ engine: bench.engine.address, ...options }),
      );
      bench.pools.push(pool);
      return pool;
    },
  };
  beforeEach(async () => {
    bench.engine = await FakeEngine.start();
  });
  afterEach(async () => {
    try {
      await Promise.all(bench.pools.splice(0).map((pool) => pool.shutdown({ grace: 0 })));
      expect(bench.engine.ids).toEqual([]);
    } finally {
      await bench.engine.close();
    }
  });
  return bench;
}

/** The same for tests of one pool each: `engine`, and `pool` on it, made with these options. */
function useFakePool(options) {
  const every = useFakeEngine();
  const bench = { engine: null, pool: null };
  beforeEach(() => {
    bench.engine = every.engine;
    bench.pool = every.pool(options);
  });
  return bench;
}

/** A promise that never settles: what a job gives that never ends. */
const never = () => new Promise(() => {});

module.exports = { CALLS, never, useFakeEngine, useFakePool };
