'use strict';

// What becomes of a script that reaches a limit: a result with a reason of its own, or an error that the
// script sees and can deal with.

const { NO_PYTHON, Pools } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

/** Runs a script that prints the name of the error it gets. */
async function errorOf(script, options = {}) {
  const pool = pools.make({ poolSize: 1, ...options });
  const { stdout, reason } = await pool.run(`
import errno, os
try:
${script.trim().replace(/^/gm, '    ')}
except OSError as error:
    print(errno.errorcode[error.errno])
`);
  expect(reason).toBe('exit');
  return stdout;
}

describe('CPU time', () => {
  test('ends a script that spins, with the reason cpu', async () => {
    const pool = pools.make({ poolSize: 1 });
    const result = await pool.run('print("before", flush=True)\nwhile True: pass', {
      cpuTime: 300,
    });
    expect(result).toMatchObject({
      stdout: 'before',
      reason: 'cpu',
      exitCode: 137,
      signal: 'SIGKILL',
      path: 'warm',
    });
  });

  test('counts all processes of the container, whatever session they are in', async () => {
    const pool = pools.make({ poolSize: 1 });
    const script = `
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: pass
        os._exit(0)
time.sleep(600)`;
    expect(await pool.run(script, { cpuTime: 300 })).toMatchObject({ reason: 'cpu' });
  });

  test("is the pool's where the call says nothing, and 0 is none", async () => {
    const pool = pools.make({ poolSize: 1, cpuTime: 100 });
    expect(await pool.run('while True: pass')).toMatchObject({ reason: 'cpu' });
    const spin = 'import time\nwhile time.process_time() < 0.4: pass\nprint("done")';
    expect(await pool.run(spin, { cpuTime: 0 })).toMatchObject({ reason: 'exit', stdout: 'done' });
  });

  test('is not used by a script that waits', async () => {
    const pool = pools.make({ poolSize: 1 });
    const script = 'import time; time.sleep(1); print("rested")';
    const result = await pool.run(script, { cpuTime: 250 });
    expect(result).toMatchObject({ reason: 'exit', stdout: 'rested' });
  });

  test('counts in an image without Python too', async () => {
    const pool = pools.make({ poolSize: 1, image: NO_PYTHON });
    const result = await pool.run(['sh', '-c', 'while :; do :; done'], { cpuTime: 200 });
    expect(result).toMatchObject({ reason: 'cpu' });
  });

  test('as a soft limit of each process has the same reason', async () => {
    const pool = pools.make({
      poolSize: 1,
      ulimits: { cpu: { soft: 1, hard: 9 } },
      cpuQuota: Infinity,
    });
    const result = await pool.run(['sh', '-c', 'while :; do :; done']);
    expect(result).toMatchObject({ reason: 'cpu', exitCode: 152, signal: 'SIGXCPU' });
  });
});

describe('a file beyond ulimits.fsize', () => {
  const ulimits = { fsize: 1 << 20 };

  test('ends a program with the reason file_size', async () => {
    const pool = pools.make({ poolSize: 1, ulimits });
    const command = ['sh', '-c', 'exec dd if=/dev/zero of=/tmp/file bs=64k count=64'];
    const result = await pool.run(command);
    expect(result).toMatchObject({ reason: 'file_size', exitCode: 153, signal: 'SIGXFSZ' });
  });

  test('is an error in Python', async () => {
    const script = 'with open("/tmp/file", "wb") as file: file.write(bytes(2 << 20))';
    expect(await errorOf(script, { ulimits })).toBe('EFBIG');
  });
});

test('a full /tmp is an error', async () => {
  const tmpfs = { '/tmp': 'size=1m,mode=1777' };
  const script = 'with open("/tmp/file", "wb") as file: file.write(bytes(2 << 20))';
  expect(await errorOf(script, { tmpfs })).toBe('ENOSPC');
});

test('too many processes are an error, and those there are can be ended', async () => {
  const script = `
children = []
try:
    while True:
        pid = os.fork()
        if pid == 0:
            import signal
            signal.pause()
        children.append(pid)
finally:
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)`;
  expect(await errorOf(script, { pidsLimit: 20 })).toBe('EAGAIN');
});

test('processes left behind that take every place there is leave a result that was reached', async () => {
  const pool = pools.make({ poolSize: 0, pidsLimit: 20 });
  const script = `
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        for fd in (0, 1, 2):
            os.close(fd)
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except BlockingIOError:
                pass
full = False
while not full:
    try:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    except BlockingIOError:
        full = True
open('done.txt', 'w').write('result')
print('ok')`;
  const result = await pool.run(script, { collect: 'done.txt' });
  expect(result).toMatchObject({ stdout: 'ok', exitCode: 0, reason: 'exit' });
  // Reading it takes a process, too.
  expect([...Object.keys(result.files), ...result.fileErrors.map(({ code }) => code)]).toEqual([
    expect.stringMatching(/^(done\.txt|ENGINE_ERROR)$/),
  ]);
});

test('memory that no process but the first answers for ends the script with its container, as oom', async () => {
  const pool = pools.make({ poolSize: 1, memory: 64 << 20 });
  const container = await pool.acquire();
  // The kernel looks for the process with the most memory; what is in a nameless file is nobody's.
  const script = `
import os
open('/proc/self/oom_score_adj', 'w').write('0')
print('before', flush=True)
file = os.memfd_create('f', 0)
os.set_inheritable(file, True)
os.execvp('sh', ['sh', '-c', f'while :; do head -c 1000000 /dev/zero >> /proc/self/fd/{file}; done'])`;
  const result = await container.execute(script, {}, [], { timeout: 60_000 });
  expect(result).toMatchObject({ stdout: 'before', reason: 'oom', exitCode: 137 });
  expect(container.status).toBe('TERMINATED');
  expect(pool.stats().totals.lost).toBe(1);
});

test('too many open files are an error', async () => {
  expect(await errorOf('while True: os.dup(0)', { ulimits: { nofile: 64 } })).toBe('EMFILE');
});

test.each([
  ['open files', { nofile: 32 }],
  ["a file's size", { fsize: 64 << 10 }],
])('the least limit of %s leaves a script and its files the warm path', async (_, ulimits) => {
  const pool = pools.make({ poolSize: 0, ulimits });
  const call = { files: { a: 'x' } };
  const result = await pool.run('import json; print(open("a").read())', call);
  expect(result).toMatchObject({ stdout: 'x', stderr: '', path: 'warm' });
});
