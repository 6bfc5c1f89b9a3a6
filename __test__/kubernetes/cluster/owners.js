'use strict';

// Several backends in one namespace, and those that are gone.

const { cli } = require('../../support/cli');
const { Children } = require('../../support/children');
const { Pools, outside, sweep, until } = require('../../support/engine');
// Its patience.
require('../../support/cluster');

/** A Lease holds that long, and then counts as lapsed; process 1 of a pod ends as long after its last word. */
const LAPSE = 150_000;
const CROWD = 50;
/** A tenth of a processor, in µs: so many have room on three nodes of two, and another one beside them. */
const TENTH = 10_000;

const children = new Children();
const pools = new Pools();
afterEach(async () => {
  await children.end();
  await pools.close();
});

test('a backend is killed with warm pods: they end, its Lease lapses, and prune removes both', async () => {
  const label = 'crowd';
  const dead = await children.start({
    ...{ poolSize: CROWD, max: CROWD, createConcurrency: 8, cpuQuota: TENTH },
    labels: { 'test.pool': label },
  });
  await dead.ask('initialize');
  const left = await dead.ask('warm');
  expect(left).toHaveLength(CROWD);
  const alive = await children.start({ poolSize: 1, cpuQuota: TENTH });
  await alive.ask('initialize');
  const [kept] = await alive.ask('warm');
  await dead.kill('SIGKILL');
  const prune = () => cli(['prune', '--engine', 'kubernetes', '--yes', '--json']);
  // Nobody knows yet whether it is gone.
  expect(JSON.parse((await prune()).stdout).orphans).toEqual([]);
  const isOver = ({ status }) => ['Succeeded', 'Failed'].includes(status.phase);
  await until(async () => (await outside().podsOf({ label })).every(isOver), LAPSE);
  const found = await until(async () => {
    const { orphans, removed } = JSON.parse((await prune()).stdout);
    return orphans.length > 0 && { orphans, removed };
  }, LAPSE);
  expect(found.removed.sort()).toEqual(left.sort());
  expect(await outside().podsOf({ label })).toEqual([]);
  const { items } = await outside().leases();
  expect(items).toHaveLength(1);
  // And the other one's are as they were.
  expect(await alive.ask('warm')).toEqual([kept]);
  expect(await alive.ask('run', 'print(6 * 7)')).toBe('42');
  await alive.ask('shutdown');
}, 400_000);

test('two backends never touch each other’s pods', async () => {
  const one = await children.start({ poolSize: 1 });
  await one.ask('initialize');
  const ids = await one.ask('warm');
  const pool = pools.make({ poolSize: 1 });
  await pool.initialize();
  expect(await sweep()).toEqual([]);
  await pool.run('print(1)');
  await pool.shutdown({ grace: 0 });
  expect(await one.ask('warm')).toEqual(ids);
  expect(await one.ask('stats')).toMatchObject({ totals: { lost: 0 } });
  expect(await one.ask('run', 'print("mine")')).toBe('mine');
  await one.ask('shutdown');
});
