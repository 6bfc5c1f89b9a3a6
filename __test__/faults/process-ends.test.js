'use strict';

// A process ends in any other way. It ends as Node ends it, with its own code, and its containers go
// with it (invariant 3); with `handleSignals` they go first (5). While it lives, an idle pool does not
// hold it, and a pending call does.

const { outside, until } = require('../support/engine');
const { Children } = require('../support/children');

const children = new Children();
let label;
let options;
/** What there was of the process when it was last looked at. */
let seen;
beforeEach(() => {
  label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  options = { labels: { 'test.pool': label }, poolSize: 2 };
});

const see = async (child) => {
  seen = await outside().traceOf(child.pid, label);
};
const noneLeft = () => until(async () => (await seen.left()).length === 0);

/** A process with a warm pool. */
async function warm(more = {}) {
  const child = await children.start({ ...options, ...more });
  await child.ask('initialize');
  await see(child);
  return child;
}

afterEach(async () => {
  await children.end();
  await noneLeft();
});

/** A process with a warm pool, and a script that runs in a container on lease. */
async function busy(more = {}) {
  const child = await warm(more);
  await child.ask('acquire');
  child.tell('execute', 'import time\nprint(1, flush=True)\ntime.sleep(600)');
  await child.seen('begun');
  // What is still on its way has no process, and so no lifeline; `process-killed` has that case.
  await until(async () => (await child.ask('stats')).warm === 2);
  await see(child);
  expect(seen.containers.length).toBeGreaterThan(0);
  return child;
}

describe('the containers of a process are gone', () => {
  it('after process.exit, which has its own code', async () => {
    const child = await busy();
    child.tell('exit', 3);
    expect(await child.ended).toEqual({ code: 3, signal: null });
    await noneLeft();
  });

  it.each(['throw', 'reject'])('after an error that nobody catches (%s)', async (how) => {
    const child = await busy();
    child.tell(how, 'uncaught here');
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.output).toContain('Error: uncaught here');
    await noneLeft();
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('after %s, which ends it as ever', async (signal) => {
    const child = await busy();
    expect(await child.kill(signal)).toEqual({ code: null, signal });
    await noneLeft();
  });

  it.each(['SIGTERM', 'SIGINT'])('before %s ends it, where handleSignals is on', async (signal) => {
    const child = await warm({ handleSignals: true });
    expect(await child.kill(signal)).toEqual({ code: null, signal });
    const destroyed = child.events.filter(([name]) => name === 'destroyed');
    expect(destroyed).toHaveLength(2);
  });

  it('at once after a second SIGTERM, whatever the first one waits for', async () => {
    const child = await busy({ handleSignals: true });
    process.kill(child.pid, 'SIGTERM');
    // The pool closes, and gives the script its grace.
    await child.seen('destroyed');
    expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    await noneLeft();
  });
});

describe('a process', () => {
  it('is not kept alive by an idle pool', async () => {
    const child = await warm();
    child.tell('part');
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('is kept alive by a pending call', async () => {
    const child = await warm();
    child.tell('partAndRun', 'import time\ntime.sleep(0.5)\nprint("done")');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.output).toBe('done\n');
  });
});
