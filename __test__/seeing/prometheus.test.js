'use strict';

const { Registry, register } = require('prom-client');
const { registerPools } = require('scientist-pool/prometheus');

const { until } = require('../../harness/until');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

let registry;
beforeEach(() => {
  registry = new Registry();
});

/** The lines of values that begin with this. */
async function lines(beginning) {
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line.startsWith(beginning));
}

test('the numbers of each pool are in the text, as they are at its collection', async () => {
  const pool = bench.pool({ poolSize: 1, max: 5 });
  registerPools({ tools: pool, hooks: bench.pool({ poolSize: 0 }) }, { registry });
  expect(await lines('scientist_pool_state')).toEqual([
    'scientist_pool_state{pool="tools",state="new"} 1',
    'scientist_pool_state{pool="hooks",state="new"} 1',
  ]);
  await pool.initialize();
  await pool.run('1');
  await until(() => pool.stats().totals.destroyed === 1 && pool.stats().warm === 1);
  expect(await lines('scientist_pool_containers')).toEqual(
    expect.arrayContaining([
      'scientist_pool_containers{pool="tools",state="warm"} 1',
      'scientist_pool_containers{pool="tools",state="leased"} 0',
      'scientist_pool_containers{pool="hooks",state="warm"} 0',
      'scientist_pool_containers_max{pool="tools"} 5',
      'scientist_pool_containers_target{pool="tools"} 1',
    ]),
  );
  expect(await lines('scientist_pool_created_total')).toContain(
    'scientist_pool_created_total{pool="tools"} 2',
  );
  expect(await lines('scientist_pool_acquired_total')).toContain(
    'scientist_pool_acquired_total{pool="tools",from="warm"} 1',
  );
  expect(await lines('scientist_pool_calls_total')).toContain(
    'scientist_pool_calls_total{pool="tools",path="warm"} 1',
  );
  const [latency] = await lines(
    'scientist_pool_latency_seconds{pool="tools",operation="create",quantile="0.5"}',
  );
  expect(Number(latency.split(' ').at(-1))).toBeCloseTo(pool.stats().latency.create.p50 / 1000);
});

test('counters count once, however often they are collected', async () => {
  const pool = bench.pool({ poolSize: 1 });
  registerPools({ tools: pool }, { registry });
  await pool.initialize();
  for (let collection = 0; collection < 3; collection += 1) await registry.metrics();
  expect(await lines('scientist_pool_created_total')).toEqual([
    'scientist_pool_created_total{pool="tools"} 1',
  ]);
});

test('all numbers of one collection are of one instant', async () => {
  const pool = bench.pool();
  const stats = jest.spyOn(pool, 'stats');
  registerPools(() => ({ tools: pool }), { registry });
  await registry.metrics();
  expect(stats).toHaveBeenCalledTimes(1);
  await registry.metrics();
  expect(stats).toHaveBeenCalledTimes(2);
});

test('a pool that is gone at a collection is not in it', async () => {
  let pools = { tools: bench.pool() };
  registerPools(() => pools, { registry });
  expect(await lines('scientist_pool_waiting')).toHaveLength(1);
  pools = {};
  expect(await lines('scientist_pool_waiting')).toEqual([]);
});

test('the registry, the prefix and the end of it are for the caller to choose', async () => {
  const remove = registerPools({ tools: bench.pool() }, { prefix: 'sandbox_' });
  expect(await register.metrics()).toContain('sandbox_waiting{pool="tools"} 0');
  remove();
  expect(await register.metrics()).not.toContain('sandbox_');
});
