'use strict';

const { deferred, failureJson, outcome } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

let ContainerPoolManager;
let double;
let pool;
let container;

beforeEach(async () => {
  ({ ContainerPoolManager, double } = loadWithDouble());
  pool = new ContainerPoolManager();
  container = await pool.acquire();
});

const lastJob = () => double.jobs.at(-1);
const native = () => [...double.pools[0].leased][0];

/** A script that writes these chunks, as [stream, text or bytes], and ends. */
function writing(...chunks) {
  double.program = async (_, { write }) => {
    for (const [stream, chunk] of chunks) write(stream, chunk);
    return outcome();
  };
}

/** A script that runs until it is stopped. */
function endless() {
  const started = deferred();
  double.program = (_, { stopped }) => {
    started.resolve();
    return stopped.then(() => new Promise(() => {}));
  };
  return started.promise;
}

describe('execute(script)', () => {
  test('hands script, env and args to the native side', async () => {
    await container.execute('print("ä")', { A: 'x', B: 1.5, C: true, D: undefined }, ['a', 2, '']);
    expect(lastJob()).toEqual({
      script: Buffer.from('print("ä")'),
      env: ['A', 'x', 'B', '1.5', 'C', 'true'],
      args: ['a', '2', ''],
      timeoutMs: 600_000,
      cpuTimeMs: 0,
      maxOutputBytes: 10 * 1024 * 1024,
      collect: true,
    });
  });

  test('takes megabytes of script, env and args', async () => {
    const big = 'x'.repeat(5 * 1024 * 1024);
    await container.execute(big, { BIG: big }, [big]);
    expect(lastJob().script).toHaveLength(big.length);
    expect(lastJob().env).toEqual(['BIG', big]);
    expect(lastJob().args).toEqual([big]);
  });

  test('takes process.env and objects without a prototype as env', async () => {
    await container.execute('', process.env);
    expect(lastJob().env).toContain('PATH');
    await container.execute('', Object.assign(Object.create(null), { A: '1' }));
    expect(lastJob().env).toEqual(['A', '1']);
  });

  test('resolves with the whole result', async () => {
    double.program = async () =>
      outcome({
        stdout: ' out\n',
        stderr: '\nerr ',
        exitCode: 137,
        reason: 'oom',
        signal: 9,
        stderrTruncated: true,
        stdoutBytes: 70,
        stderrBytes: 80,
        totalMs: 12.6,
        warm: false,
      });
    expect(await container.execute('')).toEqual({
      stdout: 'out',
      stderr: 'err',
      exitCode: 137,
      duration: 13,
      reason: 'oom',
      signal: 'SIGKILL',
      truncated: true,
      stdoutBytes: 70,
      stderrBytes: 80,
      path: 'cold',
      timings: { waiting: 0, dispatch: 0.5, firstByte: 2.5, run: 4.2, total: 12.6 },
    });
  });

  test.each([
    [1, 'SIGHUP'],
    [10, 'SIGUSR1'],
    [15, 'SIGTERM'],
    [31, 'SIGSYS'],
    [34, 'SIGRTMIN'],
    [40, 'SIGRTMIN+6'],
  ])('signal %i is %s: the numbers are those of Linux', async (signal, name) => {
    double.program = async () => outcome({ reason: 'signal', signal, exitCode: 128 + signal });
    expect(await container.execute('')).toMatchObject({ signal: name });
  });

  test('trims unless told not to; a command the other way round', async () => {
    double.program = async () => outcome({ stdout: ' x\n' });
    expect((await container.execute('')).stdout).toBe('x');
    expect((await container.execute('', {}, [], { trim: false })).stdout).toBe(' x\n');
    expect((await container.executeCommand(['x'])).stdout).toBe(' x\n');
    expect((await container.executeCommand(['x'], { trim: true })).stdout).toBe('x');
  });

  test("trims what Python's str.strip() does", async () => {
    const space =
      '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000';
    const text = '\ufeffx\u200b \0\ufeff';
    double.program = async () => outcome({ stdout: `${space}${text}${space}`, stderr: space });
    expect(await container.execute('')).toMatchObject({ stdout: text, stderr: '' });
  });

  test('decodes once, keeps a byte order mark, and replaces what is no UTF-8', async () => {
    double.program = async () => outcome({ stdout: Buffer.from([0xef, 0xbb, 0xbf, 0x41, 0xff]) });
    expect((await container.execute('', {}, [], { trim: false })).stdout).toBe('\ufeffA\ufffd');
  });

  test("encoding: 'buffer' gives the bytes as they are", async () => {
    const bytes = Buffer.from([0x20, 0xff, 0x00, 0x0a]);
    double.program = async () => outcome({ stdout: bytes });
    const { stdout } = await container.execute('', {}, [], { encoding: 'buffer' });
    expect(Buffer.isBuffer(stdout)).toBe(true);
    expect(stdout.equals(bytes)).toBe(true);
  });

  test('options of the call go before those of the pool', async () => {
    const own = new ContainerPoolManager({ execTimeout: 7, maxOutputBytes: '1k' });
    const theirs = await own.acquire();
    await theirs.execute('');
    expect(lastJob()).toMatchObject({ timeoutMs: 7, maxOutputBytes: 1024 });
    await theirs.execute('', {}, [], { timeout: 0, maxOutputBytes: Infinity });
    expect(lastJob()).toMatchObject({ timeoutMs: 0, maxOutputBytes: -1 });
  });

  test('goes with its working directory', async () => {
    await container.execute('1', { A: 1 }, ['a', 2], { cwd: '/work' });
    expect(lastJob()).toMatchObject({
      script: Buffer.from('1'),
      args: ['a', '2'],
      env: ['A', '1'],
      cwd: '/work',
    });
  });

  test('collect: false bounds the output only if told to', async () => {
    await container.execute('', {}, [], { collect: false });
    expect(lastJob()).toMatchObject({ collect: false, maxOutputBytes: -1 });
    await container.execute('', {}, [], { collect: false, maxOutputBytes: 5 });
    expect(lastJob()).toMatchObject({ collect: false, maxOutputBytes: 5 });
  });
});

describe('executeCommand', () => {
  test('and execute(cmd) are the same', async () => {
    const options = { env: { A: 1 }, cwd: '/', stdin: 'in', timeout: 9 };
    await container.executeCommand(['ls', '-l', ''], options);
    await container.execute(['ls', '-l', ''], options);
    expect(double.jobs[0]).toEqual(double.jobs[1]);
    expect(lastJob()).toEqual({
      argv: ['ls', '-l', ''],
      args: [],
      env: ['A', '1'],
      cwd: '/',
      stdin: Buffer.from('in'),
      timeoutMs: 9,
      cpuTimeMs: 0,
      maxOutputBytes: 10 * 1024 * 1024,
      collect: true,
    });
  });

  test("takes Docker's spellings, and keys that ask for what happens anyway", async () => {
    await container.executeCommand(['env'], {
      Env: ['A=1', 'B=x=y', 'C='],
      WorkingDir: '/work',
      AttachStdout: true,
      AttachStderr: true,
      AttachStdin: true,
      Tty: false,
    });
    expect(lastJob()).toMatchObject({ env: ['A', '1', 'B', 'x=y', 'C', ''], cwd: '/work' });
  });

  test.each([
    ['a Buffer', Buffer.from('ab')],
    ['a Uint8Array', new Uint8Array([97, 98])],
    ['a view of a part', new Uint8Array([0, 97, 98, 0]).subarray(1, 3)],
    ['a string', 'ab'],
  ])('stdin can be %s', async (_, stdin) => {
    await container.executeCommand(['cat'], { stdin });
    expect(lastJob().stdin.equals(Buffer.from('ab'))).toBe(true);
  });
});

describe('onStdout and onStderr', () => {
  test('get the chunks of their stream as they come', async () => {
    writing([1, 'a'], [2, 'b'], [1, 'c']);
    const seen = [];
    await container.execute('', {}, [], {
      onStdout: (chunk) => seen.push(`out ${chunk}`),
      onStderr: (chunk) => seen.push(`err ${chunk}`),
    });
    expect(seen).toEqual(['out a', 'err b', 'out c']);
  });

  test('one of them alone is enough', async () => {
    writing([1, 'a'], [2, 'b']);
    const seen = [];
    await container.execute('', {}, [], { onStderr: (chunk) => seen.push(chunk) });
    expect(seen).toEqual(['b']);
  });

  test('get whole characters, however the bytes were cut', async () => {
    const [a, b, c] = [0xe2, 0x82, 0xac];
    writing([1, [0x78, a]], [2, [a]], [1, [b]], [2, [b, c]], [1, [c, 0x79]]);
    const seen = [];
    await container.execute('', {}, [], {
      onStdout: (chunk) => seen.push(chunk),
      onStderr: (chunk) => seen.push(chunk),
    });
    expect(seen).toEqual(['x', '€', '€y']);
  });

  test('get a character that was never completed as U+FFFD, at the end', async () => {
    writing([1, [0xe2, 0x82]]);
    const seen = [];
    await container.execute('', {}, [], { onStdout: (chunk) => seen.push(chunk) });
    expect(seen).toEqual(['\ufffd']);
  });

  test("get the bytes with encoding: 'buffer'", async () => {
    writing([1, [0xe2]], [1, [0x82]]);
    const seen = [];
    await container.execute('', {}, [], {
      encoding: 'buffer',
      onStdout: (chunk) => seen.push(...chunk),
    });
    expect(seen).toEqual([0xe2, 0x82]);
  });

  test('hold the script up while a promise they returned is pending', async () => {
    const gate = deferred();
    const seen = [];
    writing([1, 'a'], [1, 'b']);
    const call = container.execute('', {}, [], {
      onStdout: async (chunk) => {
        seen.push(chunk);
        await gate.promise;
      },
    });
    await new Promise(setImmediate);
    expect(seen).toEqual(['a']);
    gate.resolve();
    await call;
    expect(seen).toEqual(['a', 'b']);
  });

  test('are never called while another of the call is pending, on either stream', async () => {
    writing([1, 'a'], [2, 'b'], [1, 'c']);
    let active = 0;
    const seen = [];
    const slowly = async (chunk) => {
      active += 1;
      expect(active).toBe(1);
      await new Promise(setImmediate);
      seen.push(chunk);
      active -= 1;
    };
    await container.execute('', {}, [], { onStdout: slowly, onStderr: slowly });
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('are done when the call is', async () => {
    const gate = deferred();
    let done = false;
    writing([1, 'a']);
    const call = container.execute('', {}, [], {
      onStdout: () => gate.promise.then(() => (done = true)),
    });
    setImmediate(gate.resolve);
    await call;
    expect(done).toBe(true);
  });

  test('get what was on its way when the time ran out', async () => {
    const seen = [];
    double.program = async (_, { write }) => {
      setImmediate(() => write(1, 'late'));
      return outcome({ reason: 'timeout', chunks: 1 });
    };
    await container.execute('', {}, [], { onStdout: (chunk) => seen.push(chunk) });
    expect(seen).toEqual(['late']);
  });

  test.each([
    [
      'throws',
      (error) => () => {
        throw error;
      },
    ],
    [
      'rejects',
      (error) => async () => {
        throw error;
      },
    ],
  ])('one that %s ends the container, and the call rejects with its error', async (_, failing) => {
    const error = new Error('enough');
    const onStdout = jest.fn(failing(error));
    double.program = async (_job, { write, stopped }) => {
      write(1, 'a');
      write(1, 'b');
      await stopped;
      return new Promise(() => {});
    };
    await expect(container.execute('', {}, [], { onStdout })).rejects.toBe(error);
    expect(onStdout).toHaveBeenCalledTimes(1);
    expect(container.status).toBe('TERMINATED');
  });

  test('even one that throws undefined', async () => {
    writing([1, 'a']);
    const onStdout = () => {
      throw undefined;
    };
    await expect(container.execute('', {}, [], { onStdout })).rejects.toBeUndefined();
  });
});

describe('signal', () => {
  test('ends the container and rejects with the reason', async () => {
    const started = endless();
    const controller = new AbortController();
    const call = container.execute('', {}, [], { signal: controller.signal });
    await started;
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(container.status).toBe('TERMINATED');
  });

  test('already aborted: the same, and nothing runs', async () => {
    const reason = new Error('too late');
    const signal = AbortSignal.abort(reason);
    await expect(container.execute('', {}, [], { signal })).rejects.toBe(reason);
    expect(container.status).toBe('TERMINATED');
    expect(double.jobs).toHaveLength(0);
  });

  test("without a reason of one's own it is an AbortError", async () => {
    const call = container.execute('', {}, [], { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('goes before a result that came in the same instant', async () => {
    const controller = new AbortController();
    double.program = async () => {
      controller.abort();
      return outcome();
    };
    const call = container.execute('', {}, [], { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });

  test.each([
    ['a result', async () => outcome()],
    ['a failure', async () => failureJson('CONTAINER_LOST', 'lost')],
    [
      'a panic',
      async () => {
        throw new Error('panic');
      },
    ],
  ])('has no listener left after %s', async (_, program) => {
    const { signal } = new AbortController();
    const added = jest.spyOn(signal, 'addEventListener');
    const removed = jest.spyOn(signal, 'removeEventListener');
    double.program = program;
    await container.execute('', {}, [], { signal }).catch(() => undefined);
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed).toHaveBeenCalledWith('abort', added.mock.calls[0][1]);
  });

  test('leaves onabort to its owner', async () => {
    const controller = new AbortController();
    const onabort = jest.fn();
    controller.signal.onabort = onabort;
    await container.execute('', {}, [], { signal: controller.signal });
    controller.abort();
    expect(onabort).toHaveBeenCalledTimes(1);
  });
});

describe('destroy', () => {
  test('is shared by concurrent calls, and idempotent', async () => {
    await Promise.all([container.destroy(), container.destroy()]);
    await container.destroy();
    expect(native().destroys).toBe(1);
    expect(container.status).toBe('TERMINATED');
  });

  test('makes an execute under way reject with CONTAINER_TERMINATED', async () => {
    const started = endless();
    const call = container.execute('');
    await started;
    await container.destroy();
    await expect(call).rejects.toMatchObject({
      code: 'CONTAINER_TERMINATED',
      containerId: container.id,
    });
  });

  test('can be tried again after a failure', async () => {
    double.removal = async () => failureJson('ENGINE_UNAVAILABLE', 'gone fishing');
    await expect(container.destroy()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    double.removal = async () => null;
    await container.destroy();
    expect(native().destroys).toBe(2);
  });

  test('is what await using does', async () => {
    await container[Symbol.asyncDispose]();
    expect(container.status).toBe('TERMINATED');
  });
});

test('a container tells its id, status and expiry', async () => {
  expect(container.id).toBe(native().id);
  expect(container.status).toBe('READY');
  expect(container.expiry).toBeNull();
  native().expiry = 1_700_000_000_000;
  expect(container.expiry).toBe(1_700_000_000_000);
  await container.execute('');
  expect(container.status).toBe('BUSY');
});

describe('security', () => {
  test('is what the engine was told, by the names of the options', async () => {
    const strict = new ContainerPoolManager({ user: null, ulimits: { nofile: 64 }, memory: '64m' });
    const { security } = await strict.acquire();
    expect(security).toMatchObject({
      hardening: 'default',
      network: 'none',
      user: null,
      capAdd: [],
      memory: 64 * 1024 * 1024,
      swap: 0,
      seccomp: 'strict',
      unhonoured: [],
    });
    expect(security.ulimits.nofile).toEqual([64, 64]);
    expect(security.labels).toBeUndefined();
  });

  test('says what the engine does not honour', () => {
    double.unhonoured = [{ name: 'swap', option: 'swap', detail: 'no swap accounting' }];
    expect(container.security.unhonoured).toEqual(double.unhonoured);
  });

  test('can be read only', () => {
    const { security } = container;
    expect(() => {
      security.user = 'root';
    }).toThrow('read only');
    expect(() => security.capAdd.push('SYS_ADMIN')).toThrow('not extensible');
    expect(container.security.capAdd).toEqual([]);
  });
});
