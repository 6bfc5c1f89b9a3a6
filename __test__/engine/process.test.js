'use strict';

// However a process ends, its containers go with it; and while it lives, a pool does not hold it.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { Worker } = require('node:worker_threads');

const { Pools, containersOf, until } = require('../support/engine');

const program = (name) => path.join(__dirname, '..', 'support', 'programs', name);

let label;
let child;
beforeEach(() => {
  label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
});
afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await noneRuns();
});

/** Resolves when nothing of the child runs any more. */
function noneRuns() {
  return until(async () => {
    const left = await containersOf({ label });
    return left.every(({ State }) => State === 'created');
  });
}

/** Starts a process with a pool; resolves when it has said that it is up. */
async function holder(ending) {
  child = spawn(process.execPath, [program('holder.js'), ending, label], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.output = '';
  child.stdout.on('data', (data) => {
    child.output += data;
  });
  child.stderr.on('data', (data) => {
    child.output += data;
  });
  child.ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  const up = until(() => child.output.includes('up') || child.exitCode !== null, 60_000);
  await up;
  return child;
}

describe('the containers of a process go with it', () => {
  it.each(['wait', 'warming', 'running'])('when it is killed with SIGKILL (%s)', async (ending) => {
    await holder(ending);
    expect((await containersOf({ label })).length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await child.ended;
    await noneRuns();

    // A container whose start had not been asked for has no process, and so no lifeline. It goes when
    // the next pool on this host begins.
    const pools = new Pools();
    await pools.make({ poolSize: 0 }).initialize();
    expect(await containersOf({ label })).toEqual([]);
    await pools.close();
  });

  it('when it calls process.exit, with its own code', async () => {
    await holder('exit');
    expect(await child.ended).toEqual({ code: 3, signal: null });
    await noneRuns();
  });

  it('when it throws, with its own error', async () => {
    await holder('throw');
    expect((await child.ended).code).toBe(1);
    expect(child.output).toContain('Error: uncaught');
    await noneRuns();
  });

  it('when it gets SIGTERM, which ends it as ever', async () => {
    await holder('wait');
    child.kill('SIGTERM');
    expect(await child.ended).toEqual({ code: null, signal: 'SIGTERM' });
    await noneRuns();
  });

  it('before it ends, where handleSignals is on', async () => {
    await holder('handleSignals');
    child.kill('SIGTERM');
    expect(await child.ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await containersOf({ label })).toEqual([]);
  });
});

describe('a process', () => {
  it('is not kept alive by an idle pool', async () => {
    await holder('idle');
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('is kept alive by a pending call', async () => {
    await holder('execute');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.output).toContain('done');
  });
});

describe('a worker thread', () => {
  it('has pools of its own, and takes their containers with it when it is terminated', async () => {
    const worker = new Worker(program('worker.js'), { workerData: { label } });
    const [stdout] = await once(worker, 'message');
    expect(stdout).toBe('from a worker');
    await once(worker, 'message');
    expect((await containersOf({ label })).length).toBeGreaterThan(0);
    await worker.terminate();
    await noneRuns();
  });
});
