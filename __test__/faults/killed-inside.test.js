'use strict';

// A script kills what it can: itself by its hunger, all other processes, PID 1. The call has a result or
// is lost, in any case before its deadline (invariant 4); the pool stands as before (6).

const { Pools, idsOf, outside, settled } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

/** Process 1 may be another user's, as on the local engine. */
const KILL_FIRST = `
import os
try: os.kill(1, 9)
except PermissionError: pass
print("alive")`;

const oom = { reason: 'oom', exitCode: 137, signal: 'SIGKILL' };

it.each([
  ['takes more memory than there is', 'x = bytearray(1 << 30)', oom],
  ['takes it bit by bit', 'x = []\nwhile True: x.append(bytearray(1 << 20))', oom],
  [
    'has a child that takes it',
    'import os, sys\nif os.fork() == 0: x = bytearray(1 << 30)\nprint(os.WTERMSIG(os.wait()[1]))',
    { stdout: '9', exitCode: 0, reason: 'exit' },
  ],
  ['kills PID 1', KILL_FIRST, { stdout: 'alive', exitCode: 0 }],
  [
    'kills all others',
    'import os, time\nif os.fork() == 0: time.sleep(600)\nos.kill(-1, 9)\nprint("alive")',
    { stdout: 'alive', exitCode: 0 },
  ],
  [
    'has a shell kill all',
    'import os\nos.system("kill -9 -1")',
    { exitCode: 137, signal: 'SIGKILL' },
  ],
  ['kills itself', 'import os\nos.kill(os.getpid(), 9)', { exitCode: 137, signal: 'SIGKILL' }],
])('a script that %s', async (_, script, expected) => {
  const pool = pools.make({ poolSize: 1 });
  await pool.initialize();
  const [{ id }] = pool.pool;
  expect(await pool.run(script, { timeout: 20_000 })).toMatchObject(expected);
  await settled(pool);
  expect(await idsOf(pool)).not.toContain(id);
  expect(pool.stats()).toMatchObject({ warm: 1, leased: 0, creating: 0, destroying: 0 });
  expect(await pool.run('print("next")')).toMatchObject({ stdout: 'next' });
});

it.each([
  ['PID 1', KILL_FIRST, { stdout: 'alive', reason: 'exit' }],
  [
    'all',
    'import os\nos.kill(-1, 9)\nprint("alive")',
    outside().hasInit
      ? { stdout: 'alive', reason: 'exit' }
      : // Its own supervisor, too, which is not process 1.
        { reason: 'signal', signal: 'SIGKILL' },
  ],
])('one beside a running script kills %s: both calls end', async (_, script, expected) => {
  const pool = pools.make({ poolSize: 1 });
  const container = await pool.acquire();
  const long = container
    .execute('import time\ntime.sleep(600)', {}, [], { timeout: 20_000 })
    .catch((error) => error);
  const second = await container.execute(script, {}, [], { timeout: 20_000 });
  expect(second).toMatchObject(expected);
  await container.destroy();
  const { code, signal } = await long;
  expect(code ?? signal).toMatch(/^(SIGKILL|CONTAINER_TERMINATED|CONTAINER_LOST)$/);
  await settled(pool);
});
