'use strict';

// Worker threads load the package, call, and are terminated. Nothing crashes, no pool of another thread
// is closed, and no container is left (invariants 3 and 5).

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');

const { Pools, outside, settled, until } = require('../support/engine');
const { program } = require('../support/children');

const pools = new Pools();
afterEach(pools.close);

let label;
beforeEach(() => {
  label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
});

const containers = async () => (await outside().traceOf(process.pid, label)).containers;
const left = (count) => until(async () => (await containers()).length <= count);

/** A worker that has had an answer, and is where `stop` says. */
async function working(stop) {
  const worker = new Worker(program('worker'), { workerData: { label, stop } });
  const [stdout] = await once(worker, 'message');
  expect(stdout).toBe('from a worker');
  await once(worker, 'message');
  return worker;
}

it('twenty workers are terminated at once, in calls, in spawned ones and in warm-ups', async () => {
  const kinds = ['executing', 'spawned', 'warming'];
  const stops = Array.from({ length: 20 }, (_, at) => kinds[at % kinds.length]);
  const workers = await Promise.all(stops.map(working));
  expect((await containers()).length).toBeGreaterThan(0);
  await Promise.all(workers.map((worker) => worker.terminate()));
  await left(0);
});

it('the end of one is no concern of a pool in another thread', async () => {
  const pool = pools.make({ poolSize: 1 });
  label = pool.label;
  const container = await pool.acquire();
  const script =
    'import os, time\nprint(1, flush=True)\nwhile not os.path.exists("/tmp/go"): time.sleep(0.01)\nprint("whole")';
  let begun = false;
  const call = container.execute(script, {}, [], {
    onStdout: () => {
      begun = true;
    },
  });
  await until(() => begun);
  const others = await Promise.all(['executing', 'spawned', 'warming'].map(working));
  await Promise.all(others.map((worker) => worker.terminate()));
  await settled(pool);
  const { warm, leased } = pool.stats();
  await left(warm + leased + outside().beginsAhead);
  await container.execute(['touch', '/tmp/go']);
  expect(await call).toMatchObject({ stdout: '1\nwhole', reason: 'exit' });
  expect(await pool.run('print("still here")')).toMatchObject({ stdout: 'still here' });
});
