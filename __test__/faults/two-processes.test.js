'use strict';

// Two processes on one engine. Neither ever touches the other's containers, whatever the other does:
// warm up, sweep, work, close, or die (invariants 1 and 3).

const { idsOf, outside, sweep, until } = require('../support/engine');
const { Children } = require('../support/children');

const children = new Children();
let label;
beforeEach(() => {
  label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
});

/** What there was of each process when it was last looked at. */
let seen = [];
const see = async (...all) => {
  seen = await Promise.all(all.map(({ pid }) => outside().traceOf(pid, label)));
};
const ofAll = async (what) => (await Promise.all(seen.map((each) => each[what]()))).flat();

afterEach(async () => {
  await children.end();
  await until(async () => (await ofAll('running')).length === 0);
  await sweep();
  expect(await ofAll('left')).toEqual([]);
});

const start = (poolSize) => children.start({ labels: { 'test.pool': label }, poolSize });

it('one warms up, sweeps, works, closes and dies, and the other one keeps its containers', async () => {
  const still = await start(2);
  await still.ask('initialize');
  const leased = await still.ask('acquire');
  await until(async () => (await still.ask('stats')).warm === 2);
  const warm = await still.ask('warm');
  const running = still.ask(
    'execute',
    'import os, time\nwhile not os.path.exists("/tmp/go"): time.sleep(0.01)\nprint("whole")',
  );

  const closed = await start(1);
  await closed.ask('initialize');
  expect(await closed.ask('run', 'print("other")')).toBe('other');
  await closed.ask('shutdown');

  const killed = await start(1);
  await killed.ask('initialize');
  killed.tell('load');
  await killed.seen('ran');
  await see(still, killed);
  await killed.kill('SIGKILL');

  const sweeping = await start(0);
  await sweeping.ask('initialize');
  const [, { swept }] = await sweeping.seen('engine');
  for (const id of [leased, ...warm]) expect(swept).not.toContain(id);

  expect(await still.ask('warm')).toEqual(warm);
  expect(await still.ask('stats')).toMatchObject({ leased: 1, totals: { lost: 0 } });
  const known = new Set([leased, ...warm]);
  const stats = () => ({ totals: { created: known.size } });
  const ids = await idsOf({ label, seen: known, stats });
  expect(ids).toEqual(expect.arrayContaining([leased, ...warm]));
  await still.ask('command', ['touch', '/tmp/go']);
  expect(await running).toMatchObject({ stdout: 'whole', reason: 'exit' });
  await still.ask('shutdown', { grace: 0 });
});

it('both work side by side, and no container is ever in the hands of both', async () => {
  const both = [await start(2), await start(2)];
  for (const child of both) {
    child.tell('load');
    child.tell('load');
  }
  const ran = (child) => child.events.filter(([name]) => name === 'ran').length;
  await until(() => both.every((child) => ran(child) >= 5), 60_000);
  await see(...both);
  const ids = both.map((child) =>
    child.events.filter(([name]) => name === 'created').map(([, { id }]) => id),
  );
  expect(ids[0].filter((id) => ids[1].includes(id))).toEqual([]);
  for (const child of both) expect(await child.ask('stats')).toMatchObject({ totals: { lost: 0 } });
});
