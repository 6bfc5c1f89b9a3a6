'use strict';

// The Node process is killed with SIGKILL, and on the local engine its launcher, that one's keeper, or
// several of them in the same instant. Whatever they were at, nothing of it runs two seconds later; what has
// no process is removed when the next pool on this host begins (invariant 3). A process that lives goes on.

const { outside, sweep, until } = require('../support/engine');
const { Children } = require('../support/children');

/** What the page promises, ms. Under load the engine itself takes its time: so the measure is its own. */
const PROMISED = 2000;

const children = new Children();
let label;
let options;
beforeEach(() => {
  label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  options = { labels: { 'test.pool': label }, poolSize: 2 };
});
afterEach(children.end);

const trace = (child) => outside().traceOf(child.pid, label);
const beginsOne = (child) => until(async () => (await trace(child)).containers.length > 0);

const SLEEP = 'import time\nprint("begun", flush=True)\ntime.sleep(600)';

/** Brings a process to where it is to be killed; gives the call that is under way then, if there is one. */
const MOMENTS = {
  'idle, with warm containers': async (child) => {
    await child.ask('initialize');
  },
  'while it warms up': async (child) => {
    child.tell('initialize');
    await beginsOne(child);
  },
  'while a script runs': async (child) => {
    await child.ask('acquire');
    const call = child.ask('execute', SLEEP).catch((error) => error);
    await child.seen('begun');
    return { call };
  },
  'with a container on lease': async (child) => {
    await child.ask('initialize');
    await child.ask('acquire');
  },
  'while it acquires on demand': async (child) => {
    child.tell('acquire');
    await beginsOne(child);
  },
  'under load': async (child) => {
    for (let call = 0; call < 5; call += 1) child.tell('load');
    await child.seen('ran');
    await beginsOne(child);
  },
};

const CASES = outside().deaths.flatMap((parts) => {
  // The others are as good as one of the first three, but for the process itself.
  const moments = Object.keys(MOMENTS).slice(0, parts.join() === 'the process' ? 6 : 3);
  return moments.map((moment) => ({ who: parts.join(' and '), moment, parts }));
});

it.each(CASES)('$who, $moment', async ({ moment, parts }) => {
  const child = await children.start(options);
  const { call } = (await MOMENTS[moment](child)) ?? {};
  const before = await trace(child);
  expect(before.containers.length).toBeGreaterThan(0);
  for (const part of parts) process.kill(before.parts[part], 'SIGKILL');
  if (parts.includes('the process')) await child.ended;
  const began = performance.now();
  await until(async () => (await before.running()).length === 0).catch(() => {});
  expect(await before.running()).toEqual([]);
  expect(performance.now() - began).toBeLessThan(PROMISED);
  if (!parts.includes('the process')) {
    if (call) expect((await call).code).toBe('CONTAINER_LOST');
    expect(await child.ask('run', 'print(6 * 7)')).toBe('42');
  }
  // A create that was with an engine at that instant may come to its end only now.
  await until(async () => {
    if (parts.includes('the process')) await sweep();
    return (await before.left()).length === 0;
  });
});
