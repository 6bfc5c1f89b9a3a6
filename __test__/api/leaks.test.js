'use strict';

// A container that its holder forgot is reported, with where it was acquired.

const { once } = require('node:events');

const { loadWithDouble } = require('../support/load');

let ContainerPoolManager;
let double;

beforeEach(() => {
  ({ ContainerPoolManager, double } = loadWithDouble());
});

/** What the native side tells when a container is gone. */
const destroyed = (id) => double.pools.at(-1).onEvent(JSON.stringify({ type: 'destroyed', id }));

const HELD = { leakTimeout: 10 };

test('a container held for longer than leakTimeout is a leak, told with the stack of its acquire', async () => {
  const pool = new ContainerPoolManager(HELD);
  async function forgetful() {
    return pool.acquire();
  }
  const container = await forgetful();
  const [leak] = await once(pool, 'leak');
  expect(leak).toEqual({
    id: container.id,
    heldMs: expect.any(Number),
    stack: expect.stringContaining('forgetful'),
  });
  expect(leak.heldMs).toBeGreaterThanOrEqual(HELD.leakTimeout);
  expect(leak.stack).not.toContain(`lib${require('node:path').sep}manager`);
});

test('each is told once, and one that is gone is none', async () => {
  const pool = new ContainerPoolManager(HELD);
  const leaks = [];
  pool.on('leak', ({ id }) => leaks.push(id));
  const [gone, first] = [await pool.acquire(), await pool.acquire()];
  destroyed(gone.id);
  await once(pool, 'leak');
  const second = await pool.acquire();
  await once(pool, 'leak');
  expect(leaks).toEqual([first.id, second.id]);
});

test('without a listener it is a warning of the process', async () => {
  // jest has a process object of its own, which does not hear of warnings.
  const warned = new Promise((resolve) => {
    jest.spyOn(process, 'emitWarning').mockImplementationOnce((...what) => resolve(what));
  });
  const container = await new ContainerPoolManager(HELD).acquire();
  const [message, options] = await warned;
  expect(message).toContain(container.id);
  expect(options).toMatchObject({ type: 'ScientistPoolWarning', code: 'CONTAINER_LEAK' });
  expect(options.detail).toContain(__filename);
  process.emitWarning.mockRestore();
});

test('0 turns it off, and run() is never one', async () => {
  const off = new ContainerPoolManager({ leakTimeout: 0 });
  const runs = new ContainerPoolManager(HELD);
  const leaks = [];
  for (const pool of [off, runs]) pool.on('leak', (leak) => leaks.push(leak));
  await off.acquire();
  let finish;
  double.program = () => new Promise((resolve) => (finish = resolve));
  const call = runs.run('');
  const sentinel = new ContainerPoolManager(HELD);
  await sentinel.acquire();
  // Whoever was to be told before the sentinel has been.
  await once(sentinel, 'leak');
  expect(leaks).toEqual([]);
  finish(require('../support/native-double').outcome());
  await call;
});
