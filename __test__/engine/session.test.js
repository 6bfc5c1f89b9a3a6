'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { Pools, idsOf, until } = require('../support/engine');

const pools = new Pools();
let pool;
let container;
let session;
beforeEach(async () => {
  pool = pools.make({ poolSize: 0 });
  container = await pool.acquire();
  session = await container.session();
});
afterEach(pools.close);

const said = async (code, options) => (await session.run(code, options)).stdout;

describe('session.run', () => {
  it('keeps names from call to call, and gives each its own result', async () => {
    const first = await session.run(
      'import sys\nx = 40\nprint("one")\nprint("err", file=sys.stderr)',
    );
    expect(first).toMatchObject({
      ...{ stdout: 'one', stderr: 'err', exitCode: 0, reason: 'exit', signal: null },
      ...{ truncated: false, stdoutBytes: 4, stderrBytes: 4, path: 'warm', sessionEnded: false },
    });
    expect(first).not.toHaveProperty('display');
    expect(await said('def more(n): return x + n')).toBe('');
    expect(await said('print(more(2))')).toBe('42');
    expect(await said('print(__name__, sys.argv, sys.stdin.read() == "")')).toBe(
      "__main__ ['-'] True",
    );
  });

  it('an exception is a result, and no end', async () => {
    const result = await session.run('def f():\n  return 1 / 0\n\nf()');
    expect(result).toMatchObject({ exitCode: 1, reason: 'exit', sessionEnded: false });
    const lines = result.stderr.split('\n').filter((line) => !/^[ ~^]*$/.test(line));
    expect(lines).toEqual([
      'Traceback (most recent call last):',
      '  File "<run 1>", line 4, in <module>',
      '    f()',
      '  File "<run 1>", line 2, in f',
      '    return 1 / 0',
      expect.stringMatching(/^ZeroDivisionError/),
    ]);
    const wrong = await session.run('x = = 1');
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toMatch(/File "<run 2>", line 1\n {4}x = = 1\n[\s\S]*SyntaxError/);
    expect(await said('print(f.__name__)')).toBe('f');
  });

  it.each([
    ['sys.exit()', 0, ''],
    ['sys.exit(7)', 7, ''],
    ['sys.exit("no more")', 1, 'no more'],
    ['raise KeyboardInterrupt', 130, expect.stringContaining('KeyboardInterrupt')],
  ])('%s is a result with its exit code', async (code, exitCode, stderr) => {
    const result = await session.run(`import sys\n${code}`);
    expect(result).toMatchObject({ exitCode, stderr, reason: 'exit', sessionEnded: false });
    expect(await said('print("still here")')).toBe('still here');
  });

  it('runs that are called at once take place one after another, in order', async () => {
    await session.run('seen = []');
    const runs = [0, 1, 2, 3, 4].map((n) => said(`seen.append(${n})\nprint(seen)`));
    const outputs = await Promise.all(runs);
    expect(outputs.at(-1)).toBe('[0, 1, 2, 3, 4]');
    expect(outputs[1]).toBe('[0, 1]');
  });

  it('an overrun is interrupted, and the session goes on', async () => {
    const code = 'import time\nx = 1\nprint("begun", flush=True)\ntime.sleep(600)';
    const result = await session.run(code, { timeout: 300 });
    expect(result).toMatchObject({
      ...{ stdout: 'begun', exitCode: 130, reason: 'timeout', signal: null, sessionEnded: false },
    });
    expect(result.stderr).toMatch(/line 4, in <module>[\s\S]*KeyboardInterrupt$/);
    // Nothing of what interrupts it is in its traceback.
    expect(result.stderr.match(/File /g)).toHaveLength(1);
    expect(await said('print(x)')).toBe('1');
  });

  it('an interrupt reaches what the run has started', async () => {
    const code = 'import subprocess\nsubprocess.run(["sleep", "600"])';
    const result = await session.run(code, { timeout: 500 });
    expect(result).toMatchObject({ reason: 'timeout', sessionEnded: false });
    expect(await said('print("on")')).toBe('on');
  });

  it('what does not let go of it within the grace ends with its container', async () => {
    const stubborn = await pool.acquire();
    const other = await stubborn.session({ grace: 300 });
    const code =
      'import time\nwhile True:\n  try: time.sleep(600)\n  except KeyboardInterrupt: print("no", flush=True)';
    const result = await other.run(code, { timeout: 300 });
    expect(result).toMatchObject({
      ...{ stdout: 'no', exitCode: 137, reason: 'timeout', signal: 'SIGKILL', sessionEnded: true },
    });
    expect(other.ended).toBe(true);
    expect(stubborn.status).toBe('TERMINATED');
    await expect(other.run('1')).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
    await until(async () => !(await idsOf(pool)).includes(stubborn.id));
  });

  it('output beyond its limit is cut, and what writes it is interrupted', async () => {
    const result = await session.run('while True: print("x" * 1000)', {
      maxOutputBytes: 5000,
      trim: false,
    });
    expect(result).toMatchObject({ reason: 'output_limit', truncated: true, sessionEnded: false });
    expect(result.stdout).toHaveLength(5000);
    expect(await said('print("on")')).toBe('on');
  });

  it('gives output as it comes', async () => {
    const chunks = [];
    const release = {};
    const first = new Promise((resolve) => {
      release.resolve = resolve;
    });
    const running = session.run(
      'import time\nprint("a", flush=True)\ntime.sleep(0.3)\nprint("b")',
      {
        onStdout: (chunk) => {
          chunks.push(chunk);
          release.resolve();
        },
      },
    );
    await first;
    expect(chunks).toEqual(['a\n']);
    await running;
    expect(chunks).toEqual(['a\n', 'b\n']);
  });

  it('a callback that throws fails its run, and no other', async () => {
    const code = 'import time\nprint(1, flush=True)\ntime.sleep(600)';
    const onStdout = () => {
      throw new Error('enough');
    };
    await expect(session.run(code, { onStdout })).rejects.toThrow('enough');
    expect(await said('print("on")')).toBe('on');
  });

  it('an abort interrupts a run under way, and one in line does not begin', async () => {
    const under = new AbortController();
    const inLine = new AbortController();
    await session.run('began = 0');
    const running = session.run('import time\nprint(1, flush=True)\ntime.sleep(600)', {
      signal: under.signal,
      onStdout: () => {
        inLine.abort(new Error('never mind'));
        under.abort(new Error('stop'));
      },
    });
    const waiting = session.run('began = 1', { signal: inLine.signal });
    await expect(running).rejects.toThrow('stop');
    await expect(waiting).rejects.toThrow('never mind');
    await expect(session.run('began = 1', { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(await said('print(began)')).toBe('0');
    expect(container.status).toBe('BUSY');
  });

  it('what threads write between two runs is the beginning of the next', async () => {
    const code = `
import threading, time
done = threading.Event()
def late():
    time.sleep(0.2)
    print("late", flush=True)
    done.set()
threading.Thread(target=late).start()`;
    expect(await said(code)).toBe('');
    await sleep(600);
    expect(await said('done.wait()\nprint("next")')).toBe('late\nnext');
  });

  it('takes megabytes of source', async () => {
    expect(await said(`s = "${'s'.repeat(5 << 20)}"\nprint(len(s))`)).toBe(String(5 << 20));
  });

  it('names what it can not take', async () => {
    await expect(session.run(5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(session.run('1', { cwd: '/' })).rejects.toThrow(/cwd/);
  });
});

describe('a session', () => {
  it('has an environment and a working directory of its own', async () => {
    const other = await pool.acquire();
    const own = await other.session({ env: { TOOL: 'x' }, cwd: '/usr' });
    const { stdout } = await own.run('import os\nprint(os.environ["TOOL"], os.getcwd())');
    expect(stdout).toBe('x /usr');
    await own.close();
    await expect(other.session({ cwd: '/nowhere' })).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      message: expect.stringContaining('/nowhere: No such file or directory'),
    });
    await expect(other.session({ env: { PYTHONHASHSEED: 1 } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('PYTHONHASHSEED'),
    });
    await expect(other.session({ grace: -1 })).rejects.toThrow(/grace/);
    expect((await other.execute('print("well")')).stdout).toBe('well');
  });

  it('is the only one at a time in its container; calls run beside it', async () => {
    await expect(container.session()).rejects.toMatchObject({ code: 'CONTAINER_BUSY' });
    const beside = await container.execute('print("beside")');
    expect(beside).toMatchObject({ stdout: 'beside', path: 'cold' });
    await container.writeFiles({ 'in.txt': 'file' });
    expect(await said('print(open("in.txt").read())')).toBe('file');
    await session.close();
    const next = await container.session();
    expect((await next.run('print("x" in globals())')).stdout).toBe('False');
  });

  it('close() lets what was asked for end, and has the interpreter end as a script does', async () => {
    const code =
      'import atexit, time\natexit.register(lambda: open("left.txt", "w").write("bye"))\ntime.sleep(0.2)\nprint("done")';
    const running = said(code);
    const closing = session.close();
    expect(session.ended).toBe(true);
    await expect(running).resolves.toBe('done');
    await closing;
    await session.close();
    await expect(session.run('1')).rejects.toMatchObject({
      code: 'SESSION_ENDED',
      containerId: container.id,
    });
    expect(String(await container.readFile('left.txt'))).toBe('bye');
    expect((await container.execute('print(1)')).path).toBe('warm');
  });

  it('ends with its lease', async () => {
    const running = session.run('import time\ntime.sleep(600)');
    running.catch(() => {});
    await container.destroy();
    await expect(running).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
    await expect(session.run('1')).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
    expect(session.ended).toBe(true);
    await session.close();
  });

  it('disposes of itself', async () => {
    await session[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]();
    expect(session.ended).toBe(true);
    expect(container.status).toBe('BUSY');
  });
});

// What code can do to its own interpreter ends that, or nothing; it is told, and no other run's end is.
describe('a hostile run', () => {
  const ENDS = [
    ['os._exit(3)', { exitCode: 3, reason: 'exit', signal: null }],
    ['os.abort()', { exitCode: 134, reason: 'signal', signal: 'SIGABRT' }],
    ['os.kill(os.getpid(), 9)', { exitCode: 137, reason: 'signal', signal: 'SIGKILL' }],
    ['os.closerange(3, 256)', { exitCode: 0, reason: 'exit', signal: null }],
    ['os.closerange(0, 256)', { reason: 'exit', signal: null }],
  ];
  it.each(ENDS)('%s ends the session, which its result says', async (code, result) => {
    const ended = await session.run(`import os\n${code}`);
    expect(ended).toMatchObject({ ...result, sessionEnded: true });
    expect(session.ended).toBe(true);
    await expect(session.run('1')).rejects.toMatchObject({ code: 'SESSION_ENDED' });
    expect((await container.execute('print("well")')).stdout).toBe('well');
  });

  it('prints what looks like the end of a run, and goes on', async () => {
    const code = `
import os, struct, time
for secret in (b"", bytes(16)):
    forged = secret + b"e" + struct.pack("<I", 1) + b"\\0"
    for text in (forged, b"3" + struct.pack("<I", len(forged)) + forged, b"X\\1\\0\\0\\0\\0"):
        os.write(1, text)
        os.write(2, text)
time.sleep(0.3)
print("the end")`;
    const result = await session.run(code, { encoding: 'buffer' });
    expect(result).toMatchObject({ exitCode: 0, sessionEnded: false });
    expect(result.stdout.toString('latin1')).toMatch(/the end\n$/);
  });

  const FORGE = (how) => `
import os, subprocess, sys, struct, time
child = """
import os, stat, struct
forged = bytes(16) + b"e" + struct.pack("<I", 1) + b"\\\\0"
for fd in range(256):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode): os.write(fd, forged)
    except OSError: pass
"""
${how}
time.sleep(0.3)
print("the end", flush=True)`;

  it.each([
    ['a program', 'subprocess.run([sys.executable, "-c", child], close_fds=False)'],
    [
      'a fork',
      'pid = os.fork()\nif not pid:\n    exec(child)\n    os._exit(0)\nos.waitpid(pid, 0)',
    ],
  ])('%s that writes to all descriptors it has ends no run', async (_, how) => {
    const result = await session.run(FORGE(how), { encoding: 'buffer' });
    expect(result).toMatchObject({ exitCode: 0, sessionEnded: false });
    expect(result.stdout.toString('latin1')).toMatch(/the end\n$/);
  });

  it('who writes to the line itself without knowing its secret ends no run, but the session', async () => {
    const result = await session.run(FORGE('exec(child)'));
    expect(result).toMatchObject({ reason: 'signal', signal: 'SIGKILL', sessionEnded: true });
    expect(container.status).toBe('TERMINATED');
  });

  it('a fork ends where its run does, and is not the session', async () => {
    const code = 'import os\npid = os.fork()\nprint("child" if not pid else "parent", flush=True)';
    await session.run(code);
    const { stdout } = await session.run('print(os.waitpid(pid, 0)[1], os.getpid() != pid)');
    expect(stdout).toMatch(/0 True$/);
    expect(await said('print("one")')).toBe('one');
  });

  it('nothing that it puts in the place of names keeps the next run from its end', async () => {
    await session.run(
      'import builtins, sys, os, traceback\nbuiltins.print = None\nsys.stdout = None\ntraceback.print_exception = None\nsys.excepthook = 5',
    );
    expect(await session.run('1/0')).toMatchObject({ sessionEnded: false });
    expect(await session.run('os.write(1, b"on")')).toMatchObject({ stdout: 'on', exitCode: 0 });
  });
});
