'use strict';

const { NO_PYTHON, Pools, outside } = require('../support/engine');
const { until } = require('../../harness/until');

const pools = new Pools();
afterEach(pools.close);

/** A size of container of which the engine has room for two, and not for three. */
async function aThirdAndMore() {
  const total = await outside().memory();
  return Math.floor((total / 4) * 3 * 0.4);
}

const budgetOf = (pool) => pool.stats().engine.budget;

describe('two pools on one engine', () => {
  it('take one budget, by the memory of their containers', async () => {
    const small = pools.make({ poolSize: 1, memory: '64m' });
    const other = pools.make({ poolSize: 1, memory: '128m', image: NO_PYTHON });
    await Promise.all([small.initialize(), other.initialize()]);
    const total = await outside().memory();
    expect(budgetOf(small)).toEqual(budgetOf(other));
    expect(budgetOf(small)).toMatchObject({
      memory: Math.floor(total / 4) * 3,
      used: (64 + 128) * 1024 * 1024,
      waiting: 0,
    });
  });

  it('make a caller of one wait for room that the other has, and serve it when there is some', async () => {
    const memory = await aThirdAndMore();
    const one = pools.make({ poolSize: 0, memory });
    const other = pools.make({ poolSize: 0, memory, image: NO_PYTHON });
    const held = [await one.acquire(), await one.acquire()];
    const waiting = other.acquire();
    await until(() => budgetOf(other).waiting === 1);
    expect(other.stats()).toMatchObject({ waiting: 1, creating: 0 });
    await held[0].destroy();
    const container = await waiting;
    expect(container.status).toBe('READY');
    expect(budgetOf(other).used).toBe(2 * memory);
  });

  it('let a warm container of one give way to a caller of the other', async () => {
    const memory = await aThirdAndMore();
    const warm = pools.make({ poolSize: 2, memory });
    const other = pools.make({ poolSize: 0, memory, image: NO_PYTHON });
    await warm.initialize();
    const container = await other.acquire();
    expect(warm.stats()).toMatchObject({ warm: 1, totals: { surplus: 1 } });
    await container.destroy();
    await until(() => warm.stats().warm === 2);
  });

  it('serve all callers without more starts at once than one pool may have', async () => {
    const options = { poolSize: 0, createConcurrency: 2, acquireTimeout: 0 };
    const one = pools.make(options);
    const other = pools.make({ ...options, image: NO_PYTHON });
    const calls = Array.from({ length: 12 }, (_, n) =>
      (n % 2 === 0 ? one : other).run(['echo', 'x']),
    );
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, budgetOf(one).starting)), 2);
    const results = await Promise.all(calls).finally(() => clearInterval(watch));
    expect(results.map(({ stdout }) => stdout)).toEqual(Array(12).fill('x\n'));
    expect(most).toBe(2);
  });
});
