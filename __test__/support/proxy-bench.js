'use strict';

const { Pools, address } = require('./engine');
const { EngineProxy } = require('../../harness/proxy');

/** A proxy in front of the engine under test for each test of a file, and pools behind it. */
function useProxy() {
  const bench = {
    proxy: null,
    pools: new Pools(),
    pool: ({ timeout = 30_000, ...options } = {}) =>
      bench.pools.make({ engine: { host: bench.proxy.address, timeout }, ...options }),
  };
  beforeEach(async () => {
    bench.proxy = await EngineProxy.start(address());
  });
  afterEach(async () => {
    try {
      await bench.pools.close();
    } finally {
      await bench.proxy.close();
    }
  });
  return bench;
}

module.exports = { useProxy };
