'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { Pools, idsOf, outside, until } = require('../support/engine');

const pools = new Pools();
let pool;
beforeEach(() => {
  pool = pools.make({ poolSize: 1 });
});
afterEach(pools.close);

const gone = (id) => until(async () => !(await idsOf(pool)).includes(id));

describe('execute(script)', () => {
  it('gives the trimmed output, the exit code and the time it took', async () => {
    const container = await pool.acquire();
    const script = 'import sys\nprint("  out  ")\nprint("err", file=sys.stderr)\nsys.exit(3)';
    const result = await container.execute(script);
    expect(result).toMatchObject({
      stdout: 'out',
      stderr: 'err',
      exitCode: 3,
      reason: 'exit',
      signal: null,
      truncated: false,
      stdoutBytes: 8,
      stderrBytes: 4,
      path: 'warm',
    });
    expect(result.duration).toBeGreaterThanOrEqual(0);
    expect(container.status).toBe('BUSY');
  });

  it('passes environment and arguments as the old callers did', async () => {
    const container = await pool.acquire();
    const env = { TOOL_ENV: '{"a":1}', N: 1, B: true, U: undefined, E: '' };
    const script =
      'import os, sys\nprint(sys.argv[1:], [os.environ.get(n) for n in ("TOOL_ENV", "N", "B", "U", "E")])';
    const { stdout } = await container.execute(script, env, ['x', '--y', 'z w']);
    expect(stdout).toBe(`['x', '--y', 'z w'] ['{"a":1}', '1', 'true', None, '']`);
  });

  it('takes megabytes of script and of environment', async () => {
    const container = await pool.acquire();
    const script = `import os\ns = "${'s'.repeat(5 << 20)}"\nprint(len(s), len(os.environ["E"]))`;
    const { stdout } = await container.execute(script, { E: 'e'.repeat(5 << 20) });
    expect(stdout).toBe(`${5 << 20} ${5 << 20}`);
  });

  it.each([
    ['a crash', 'import os\nos.abort()', { exitCode: 134, reason: 'signal', signal: 'SIGABRT' }],
    ['an uncaught error', '1/0', { exitCode: 1, reason: 'exit' }],
    ['a syntax error', 'def', { exitCode: 1, reason: 'exit' }],
  ])('%s is a result', async (_, script, expected) => {
    const container = await pool.acquire();
    await expect(container.execute(script, {}, [], { timeout: 20_000 })).resolves.toMatchObject(
      expected,
    );
  });

  it('ends at the timeout, with what was written until then, and ends the container', async () => {
    const container = await pool.acquire();
    const script = 'import time\nprint("begun", flush=True)\ntime.sleep(60)';
    await expect(container.execute(script, {}, [], { timeout: 500 })).resolves.toMatchObject({
      stdout: 'begun',
      exitCode: 137,
      reason: 'timeout',
      signal: 'SIGKILL',
    });
    expect(container.status).toBe('TERMINATED');
    await gone(container.id);
  });

  it('cuts the output at maxOutputBytes and ends the container', async () => {
    const container = await pool.acquire();
    const script = 'while True: print("x" * 1000)';
    const result = await container.execute(script, {}, [], { maxOutputBytes: 5000, trim: false });
    expect(result).toMatchObject({ reason: 'output_limit', truncated: true });
    expect(result.stdout).toHaveLength(5000);
    await gone(container.id);
  });

  it('keeps bytes exact where asked, and decodes once where not', async () => {
    const script = 'import os\nos.write(1, b"\\xc3"); os.write(1, b"\\xa4\\xff\\x00\\n")';
    const bytes = await pool.run(script, { encoding: 'buffer' });
    expect([...bytes.stdout]).toEqual([0xc3, 0xa4, 0xff, 0x00, 0x0a]);
    const text = await pool.run(script, { trim: false });
    expect(text.stdout).toBe('ä\ufffd\0\n');
  });

  it('takes no marker from the script', async () => {
    const script = `import os
for fd in (1, 2):
    os.write(fd, b"\\x01\\0\\0\\0\\0\\0\\0\\x05E\\0\\0\\0\\0" + bytes(21) + b"E" + bytes(4))
os._exit(7)`;
    const { exitCode, stdoutBytes } = await pool.run(script);
    expect({ exitCode, stdoutBytes }).toEqual({ exitCode: 7, stdoutBytes: 39 });
  });

  it('gives the output as it comes, and waits for a callback that takes its time', async () => {
    const container = await pool.acquire();
    const script =
      'import sys, time\nprint("ä1", flush=True)\ntime.sleep(0.2)\nprint("2", file=sys.stderr)';
    const seen = [];
    const result = await container.execute(script, {}, [], {
      onStdout: async (chunk) => {
        await sleep(50);
        seen.push(['out', chunk]);
      },
      onStderr: (chunk) => seen.push(['err', chunk]),
    });
    expect(seen).toEqual([
      ['out', 'ä1\n'],
      ['err', '2\n'],
    ]);
    expect(result).toMatchObject({ stdout: 'ä1', stderr: '2' });
  });

  it('calls nobody back after it has ended, and waits for no callback beyond its timeout', async () => {
    const container = await pool.acquire();
    const script = 'import time\nwhile True: print("x", flush=True); time.sleep(0.01)';
    let ended = false;
    let late = 0;
    const result = await container.execute(script, {}, [], {
      timeout: 300,
      onStdout: () => {
        if (ended) late += 1;
        return new Promise(() => {});
      },
    });
    ended = true;
    expect(result.reason).toBe('timeout');
    await gone(container.id);
    expect(late).toBe(0);
  });

  it('ends with the error of a callback that throws, and ends the container', async () => {
    const container = await pool.acquire();
    const onStdout = () => {
      throw new Error('no more, please');
    };
    const call = container.execute('while True: print(1)', {}, [], { onStdout });
    await expect(call).rejects.toThrow('no more, please');
    await gone(container.id);
  });

  it('ends with the reason of its signal, and ends the container', async () => {
    const container = await pool.acquire();
    const controller = new AbortController();
    const call = container.execute('import time\ntime.sleep(60)', {}, [], {
      signal: controller.signal,
    });
    controller.abort(new Error('changed my mind'));
    await expect(call).rejects.toThrow('changed my mind');
    await gone(container.id);
  });

  it('does not begin under a signal that is aborted already', async () => {
    const container = await pool.acquire();
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(container.execute('print(1)', {}, [], { signal })).rejects.toThrow('too late');
    await gone(container.id);
  });

  const itKills = outside().seesContainers ? it : it.skip;
  itKills('rejects when the container ends under it for another reason', async () => {
    const container = await pool.acquire();
    const call = container.execute('import time\nprint(1, flush=True)\ntime.sleep(60)', {}, [], {
      onStdout: () => outside().kill(container.id),
    });
    await expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  });

  it('rejects in a container that is gone', async () => {
    const container = await pool.acquire();
    await container.destroy();
    await expect(container.execute('print(1)')).rejects.toMatchObject({
      code: 'CONTAINER_TERMINATED',
    });
  });

  it('tells where the time went', async () => {
    const { timings } = await pool.run('import time\nprint(1, flush=True)\ntime.sleep(0.2)');
    expect(timings.waiting).toBeGreaterThan(0);
    expect(timings.firstByte).toBeLessThan(timings.run);
    expect(timings.run).toBeGreaterThanOrEqual(200);
    expect(timings.total).toBeCloseTo(timings.waiting + timings.dispatch + timings.run, -1);
  });
});

describe('ways', () => {
  it('a variable that counts at the interpreter start counts', async () => {
    const script = 'import sys\nprint(sys.flags.optimize, sys.argv)';
    const result = await pool.run(script, { env: { PYTHONOPTIMIZE: '2' }, args: ['a'] });
    expect(result).toMatchObject({ stdout: "2 ['-', 'a']", path: 'cold' });
  });

  it('a second call while one runs is run beside it', async () => {
    const container = await pool.acquire();
    const first = container.execute(
      'import os, time\nwhile not os.path.exists("/tmp/go"): time.sleep(0.01)\nprint("first")',
    );
    const second = await container.execute('open("/tmp/go", "w")\nprint("second")');
    expect(second).toMatchObject({ stdout: 'second', exitCode: 0, path: 'cold' });
    expect(await first).toMatchObject({ stdout: 'first', path: 'warm' });
  });

  it('and so has a third: none waits for another', async () => {
    const container = await pool.acquire();
    const wait =
      'import os, time\nwhile not os.path.exists("/tmp/go"): time.sleep(0.01)\nprint("waited")';
    const waiting = [container.execute(wait), container.execute(wait)];
    const third = await container.execute('open("/tmp/go", "w")', {}, [], { timeout: 20_000 });
    expect(third).toMatchObject({ exitCode: 0, path: 'cold' });
    expect((await Promise.all(waiting)).map(({ path }) => path)).toEqual(['warm', 'cold']);
  });

  describe('beside another', () => {
    let container;
    beforeEach(async () => {
      container = await pool.acquire();
      container.execute('import time; time.sleep(60)').catch(() => {});
    });
    afterEach(() => container.destroy());

    it.each([129, 137, 152, 153, 192])('an exit code of %d is no signal', async (code) => {
      const result = await container.execute(`import sys; sys.exit(${code})`);
      expect(result).toMatchObject({ reason: 'exit', exitCode: code, signal: null, path: 'cold' });
    });

    const itTold = outside().tellsSignals ? it : it.skip;
    itTold('a signal is one', async () => {
      const result = await container.execute('import os; os.kill(os.getpid(), 15)');
      expect(result).toMatchObject({ reason: 'signal', exitCode: 143, signal: 'SIGTERM' });
    });

    it('a command that is not there writes nothing to stdout', async () => {
      const result = await container.executeCommand(['no-such-program']);
      expect(result).toMatchObject({ reason: 'exit', exitCode: 127, stdout: '' });
    });

    it('nothing of it is left when it has ended', async () => {
      await container.execute('pass');
      const command = ['sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'];
      await until(async () => {
        const { stdout } = await container.executeCommand(command);
        // This call's own and those that wait, where they are of that kind.
        return stdout.split('python3 -I -S').length - 1 <= 1 + outside().interpreters;
      });
    });
  });

  it('one call after another finds an interpreter as fresh as the first', async () => {
    const container = await pool.acquire();
    await container.execute('x = 1');
    const result = await container.execute('print("x" in globals())');
    expect(result).toMatchObject({ stdout: 'False', path: 'warm' });
  });

  it('both are counted', async () => {
    await pool.run('pass');
    await pool.run('pass', { env: { PYTHONDEVMODE: '1' } });
    expect(await pool.run('import os; print(os.getcwd())', { cwd: '/' })).toMatchObject({
      stdout: '/',
      path: 'cold',
    });
    expect(pool.stats()).toMatchObject({ callsWarm: 1, callsCold: 2 });
  });

  it('a module to preload is there before the container is ready', async () => {
    const preloading = pools.make({ poolSize: 1, preload: ['sqlite3'] });
    const script = 'import sys\nprint("sqlite3" in sys.modules)';
    expect((await pool.run(script)).stdout).toBe('False');
    expect((await preloading.run(script)).stdout).toBe('True');
  });

  describe('with modules to preload', () => {
    const preloading = () => pools.make({ poolSize: 1, preload: ['sqlite3'] });
    const LEFT = `
import atexit, sqlite3
class Left:
    def __init__(self):
        self.circle, self.file = self, open("left", "w")
        self.file.write("written")
    def __del__(self):
        print("left")
atexit.register(print, "exit")
`;

    it('what a script leaves is finalized', async () => {
      const { exitCode, stdout } = await preloading().run(
        `${LEFT}left = Left()\nraise SystemExit(3)`,
      );
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: 'exit\nleft' });
    });

    it('what it leaves in one of them is not, but files have what was written', async () => {
      const script = `${LEFT}sqlite3.left = Left()`;
      const { stdout, files } = await preloading().run(script, { collect: ['left'] });
      expect(stdout).toBe('exit');
      expect(files.left.toString()).toBe('written');
    });
  });

  it('a module that is not there to preload is named', async () => {
    const preloading = pools.make({ poolSize: 1, preload: ['no_such_module'] });
    await expect(preloading.initialize()).rejects.toThrow(
      "no_such_module: ModuleNotFoundError: No module named 'no_such_module'",
    );
  });
});

describe('executeCommand', () => {
  it('gives the output as it is', async () => {
    const container = await pool.acquire();
    const result = await container.executeCommand(['echo', ' x ']);
    expect(result).toMatchObject({ stdout: ' x \n', stderr: '', exitCode: 0 });
  });

  it('takes environment, directory and stdin, in the spelling of Docker as well', async () => {
    const container = await pool.acquire();
    const cmd = ['sh', '-c', 'cat; pwd; echo $A'];
    const ours = await container.execute(cmd, { env: { A: 1 }, cwd: '/usr', stdin: 'in ' });
    expect(ours.stdout).toBe('in /usr\n1\n');
    const theirs = await container.executeCommand(cmd, { Env: ['A=1'], WorkingDir: '/usr' });
    expect(theirs.stdout).toBe('/usr\n1\n');
  });

  it('a command that is not there ends as a shell would end it', async () => {
    const container = await pool.acquire();
    await expect(container.executeCommand(['no-such-command'])).resolves.toMatchObject({
      exitCode: 127,
      stderr: 'no-such-command: No such file or directory\n',
    });
  });
});
