'use strict';

// Calls one after another, and all at once. However many there have been, what the process and the engine
// hold is as it was after the first of them (invariants 2, 3 and 6). `npm run soak` goes on for longer.

const { containersOf, docker } = require('../support/docker');
const { Pools, settled } = require('../support/engine');
const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { runNode } = require('../support/node');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { PING, PULL } = CALLS;

const MIB = 2 ** 20;

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

it('3000 cycles leave memory, descriptors, threads, connections and containers as 1000 did', async () => {
  const { engine } = bench;
  engine.run = ({ script }) => ({ stdout: script });
  // In a process of its own: in this one the fake engine keeps what it has been asked.
  const { stdout, stderr } = await runNode(
    `
    const Pool = require('scientist-pool');
    const { held } = require('./harness/held');
    const pool = new Pool({ engine: ${JSON.stringify(engine.address)} });
    const cycle = async (number) => {
      const { stdout } = await pool.run(String(number));
      if (stdout !== String(number)) throw new Error(stdout);
    };
    (async () => {
      await pool.initialize();
      const cycles = async (from, to) => {
        for (let number = from; number < to; number += 5) {
          // What it may collect is no leak, and this often it would not come by itself.
          if (number % 500 === 0) global.gc();
          await Promise.all([0, 1, 2, 3, 4].map((more) => cycle(number + more)));
        }
      };
      await cycles(0, 1000);
      const before = held();
      await cycles(1000, 4000);
      const after = held();
      console.log(JSON.stringify({ before, after, totals: pool.stats().totals }));
      await pool.shutdown();
    })();`,
    { flags: ['--expose-gc'] },
  );
  expect(stderr).toBe('');
  const { before, after, totals } = JSON.parse(stdout);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 8);
  expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
  expect(after.heap - before.heap).toBeLessThan(2 * MIB);
  expect(after.native - before.native).toBeLessThan(16 * MIB);
  expect(totals).toMatchObject({ lost: 0, errors: 0 });
  expect(engine.ids).toEqual([]);
  expect(engine.peak).toBeLessThanOrEqual(16);
  expect(engine.count(PULL)).toBe(0);
  expect(engine.count(PING)).toBeLessThanOrEqual(2);
});

describe('on a real engine', () => {
  const pools = new Pools();
  afterEach(pools.close);

  it('40 cycles leave no container, and nothing of one', async () => {
    const pool = pools.make({ poolSize: 2 });
    await pool.initialize();
    for (let number = 0; number < 40; number += 1) {
      expect(await pool.run(`print(${number})`)).toMatchObject({ stdout: String(number) });
    }
    await settled(pool);
    expect(await containersOf(pool)).toHaveLength(2);
    const { created, destroyed, lost } = pool.stats().totals;
    expect({ lost, left: created - destroyed }).toEqual({ lost: 0, left: 2 });
    await pool.shutdown();
    const filters = { label: [`test.pool=${pool.label}`] };
    expect((await docker().listVolumes({ filters })).Volumes ?? []).toEqual([]);
  });
});
