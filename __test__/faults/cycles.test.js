'use strict';

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../support/until');

const bench = useFakeEngine();
const { PING, PULL } = CALLS;

it('a burst of 200 never has more than ten at once, and ends at two', async () => {
  const { engine } = bench;
  engine.run = ({ script }) => ({ stdout: script });
  const pool = bench.pool({ poolSize: 2, max: 10 });
  await pool.initialize();
  const call = async (_, number) => {
    const container = await pool.acquire();
    const { stdout } = await container.execute(String(number));
    expect(stdout).toBe(String(number));
    await container.destroy();
  };
  await Promise.all(Array.from({ length: 200 }, call));
  expect(engine.peak).toBeLessThanOrEqual(10);
  await until(() => pool.stats().warm === 2 && pool.stats().destroying === 0);
  await until(() => engine.containers.length === 2);
  expect(pool.stats()).toMatchObject({ creating: 0, leased: 0, waiting: 0, state: 'healthy' });
  expect(pool.stats().totals.errors).toBe(0);
});

it('300 calls one after another leave nothing, and connections and containers stay few', async () => {
  const { engine } = bench;
  engine.run = ({ script }) => ({ stdout: script });
  const pool = bench.pool();
  await pool.initialize();
  let most = 0;
  for (let number = 0; number < 300; number += 1) {
    const { stdout } = await pool.run(String(number));
    expect(stdout).toBe(String(number));
    most = Math.max(most, engine.connections);
  }
  await until(() => pool.stats().warm === 2 && engine.containers.length === 2);
  // One for each container, and those that are kept for the next calls.
  expect(most).toBeLessThanOrEqual(engine.peak + 16);
  expect(engine.peak).toBeLessThanOrEqual(8);
  expect(engine.made).toBe(302);
  expect(engine.count(PULL)).toBe(0);
  expect(engine.count(PING)).toBeLessThanOrEqual(2);
  expect(pool.stats().totals).toMatchObject({ created: 302, destroyed: 300, lost: 0, errors: 0 });
});
