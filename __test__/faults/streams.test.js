'use strict';

// What a script does with its streams and its processes, and what befalls the connection they come
// over. A call ends at the script's own end or at its deadline (invariant 4), never as a success with
// bytes missing, and no process of its container survives (3).

const fs = require('node:fs');

const { containersOf, docker } = require('../support/docker');
const { Pools, until } = require('../support/engine');
const { CALLS } = require('../support/fake-bench');
const { useProxy } = require('../support/proxy-bench');
const { processes } = require('../../harness/processes');

const MIB = 2 ** 20;

/** The processes of a container, as the machine sees them; the engine must be on this one. */
const processesOf = (id) =>
  processes().filter(({ pid }) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
    } catch {
      return false;
    }
  });

describe('a script', () => {
  const pools = new Pools();
  let pool;
  beforeEach(() => {
    pool = pools.make({ poolSize: 1 });
  });
  afterEach(pools.close);

  const gone = async (id) => {
    await until(async () => (await containersOf(pool)).every(({ Id }) => Id !== id));
    await until(() => processesOf(id).length === 0);
  };

  it.each([
    [
      'leaves a child that holds its stdout open',
      'import subprocess\nsubprocess.Popen(["sleep", "600"])\nprint("done")',
      { stdout: 'done', reason: 'exit', exitCode: 0 },
    ],
    [
      'closes its stdout and goes on',
      'import os, sys, time\nprint("done", flush=True)\nos.close(1)\ntime.sleep(0.3)\nsys.exit(4)',
      { stdout: 'done', reason: 'exit', exitCode: 4 },
    ],
    [
      'closes all three of its streams',
      'import os\nprint("done", flush=True)\nfor fd in range(3): os.close(fd)\nos._exit(5)',
      { stdout: 'done', reason: 'exit', exitCode: 5 },
    ],
    [
      'leaves a grandchild in a session of its own',
      'import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(600)\n  os._exit(0)\nos.wait()',
      { reason: 'exit', exitCode: 0 },
    ],
    [
      'ends without reading its stdin',
      ['sh', '-c', 'exit 6'],
      { reason: 'exit', exitCode: 6 },
      { stdin: 'x'.repeat(5 * MIB) },
    ],
  ])('that %s ends at its own end', async (_, what, expected, options = {}) => {
    const container = await pool.acquire();
    const limits = { ...options, timeout: 20_000 };
    const call = Array.isArray(what)
      ? container.execute(what, limits)
      : container.execute(what, {}, [], limits);
    expect(await call).toMatchObject(expected);
    await container.destroy();
    await gone(container.id);
  });

  it.each([
    ['ignores SIGTERM', 'import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(600)'],
    ['stops itself', 'import os\nos.kill(os.getpid(), 19)'],
    ['forks twice and waits', 'import os, time\nos.fork() or os.fork()\ntime.sleep(600)'],
    [
      'leaves its session',
      'import os, time\nif os.fork() == 0:\n  os.setsid()\n  os.fork()\ntime.sleep(600)',
    ],
  ])('that %s ends at its timeout, and all its processes with it', async (_, script) => {
    const container = await pool.acquire();
    const result = await container.execute(script, {}, [], { timeout: 500 });
    expect(result).toMatchObject({ reason: 'timeout', exitCode: 137 });
    await gone(container.id);
  });
});

describe('a connection', () => {
  const bench = useProxy();
  const { ATTACH } = CALLS;
  const lost = { code: 'CONTAINER_LOST' };

  /** A container whose stream can be cut: `cut(bytes, how)`, so many bytes from now on. */
  async function onWire(options) {
    let attach;
    bench.proxy.on(ATTACH, (call) => {
      attach = call;
      call.pass();
    });
    const pool = bench.pool({ poolSize: 0, ...options });
    const container = await pool.acquire();
    return { pool, container, cut: (bytes, how) => attach.cutSoon('answer', bytes, how) };
  }

  // The heads have eight and five bytes; five of output follow, and then the end in as many heads.
  it.each([1, 3, 8, 12, 13, 15, 18, 31])(
    'cut off after %i bytes of a result is a lost container',
    async (bytes) => {
      const { pool, container, cut } = await onWire();
      cut(bytes, 'close');
      const script = 'import os\nos.write(1, b"hello")';
      await expect(container.execute(script)).rejects.toMatchObject(lost);
      await until(async () => (await containersOf(pool)).length === 0);
    },
  );

  it('half closed by the engine is a lost container', async () => {
    const { pool, container, cut } = await onWire();
    cut(8, 'end');
    await expect(container.execute('print("hello")')).rejects.toMatchObject(lost);
    await until(async () => (await containersOf(pool)).length === 0);
  });

  it('that stalls in a payload is a timeout, with what came until then', async () => {
    const { pool, container, cut } = await onWire();
    cut(15, 'stall');
    const script = 'import os\nos.write(1, b"hello")';
    const result = await container.execute(script, {}, [], { timeout: 500 });
    expect(result).toMatchObject({ stdout: 'he', reason: 'timeout' });
    await until(async () => (await containersOf(pool)).length === 0);
  });

  it('reset under a running script is a lost container, and the script ends', async () => {
    const { pool, container } = await onWire();
    let begun = false;
    const call = container.execute('import time\nprint(1, flush=True)\ntime.sleep(600)', {}, [], {
      onStdout: () => {
        begun = true;
      },
    });
    const rejected = expect(call).rejects.toMatchObject(lost);
    await until(() => begun);
    bench.proxy.reset();
    await rejected;
    await until(async () => (await containersOf(pool)).length === 0);
    expect(await docker().listContainers({ filters: { id: [container.id] } })).toEqual([]);
  });

  it('reset under warm containers has them replaced', async () => {
    const pool = bench.pool({ poolSize: 2 });
    await pool.initialize();
    const before = pool.pool.map(({ id }) => id);
    bench.proxy.reset();
    await until(() => pool.stats().totals.lost === 2 && pool.stats().warm === 2);
    for (const { id } of pool.pool) expect(before).not.toContain(id);
    await until(async () => (await containersOf(pool)).length === 2);
  });
});
