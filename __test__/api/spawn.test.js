'use strict';

const { Readable, Writable, pipeline } = require('node:stream');
const { promisify } = require('node:util');

const { failureJson, outcome, deferred } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

let double;
let spawn;
let container;

beforeEach(async () => {
  const loaded = loadWithDouble();
  double = loaded.double;
  ({ spawn } = loaded.ContainerPoolManager);
  container = await new loaded.ContainerPoolManager().acquire();
});

const lastJob = () => double.jobs.at(-1);
const turn = () => new Promise(setImmediate);

/** A process that writes these chunks, as [stream, text or bytes], and ends. */
function writing(...chunks) {
  double.program = async (_, { write }) => {
    for (const [stream, chunk] of chunks) write(stream, chunk);
    return outcome();
  };
}

/** One that does what the test says. */
function driven() {
  const end = deferred();
  const process = { end: (fields) => end.resolve(outcome(fields)) };
  double.program = (_, { write, line }) => {
    Object.assign(process, { write, line });
    return end.promise;
  };
  return process;
}

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe('what is begun', () => {
  test('is a script as execute takes it, with output that is not collected and has no limit', () => {
    const child = container.spawn('print(1)', { A: 1 }, ['x'], { timeout: 5 });
    expect(lastJob()).toEqual({
      script: Buffer.from('print(1)'),
      env: ['A', '1'],
      args: ['x'],
      timeoutMs: 5,
      cpuTimeMs: 0,
      maxOutputBytes: -1,
      collect: false,
      spawned: true,
    });
    expect(child.stdin).toBeNull();
  });

  test('is a command with its environment and directory', () => {
    container.spawn(['ls', '-l'], { env: { A: 1 }, cwd: '/', maxOutputBytes: '1k' });
    expect(lastJob()).toEqual({
      argv: ['ls', '-l'],
      args: [],
      env: ['A', '1'],
      cwd: '/',
      timeoutMs: 600_000,
      cpuTimeMs: 0,
      maxOutputBytes: 1024,
      collect: false,
      spawned: true,
    });
  });

  test('is a script with a directory of its own', () => {
    const child = container.spawn('1', {}, [], { cwd: '/work' });
    expect(lastJob()).toMatchObject({ script: Buffer.from('1'), cwd: '/work' });
    expect(child.stdin).toBeNull();
  });

  test('is begun before spawn returns', () => {
    container.spawn(['true']);
    expect(double.jobs).toHaveLength(1);
    expect(container.status).toBe('BUSY');
  });

  test('takes the container itself or its id from the plain function', async () => {
    expect(await spawn(container, ['true']).exit).toMatchObject({ exitCode: 0 });
    expect(() => spawn('no such id', ['true'])).toThrow('No live container');
  });

  test.each([
    ['no script', [5], 'script must be Python source, a string or a Uint8Array; got a number'],
    ['no command', [[]], 'cmd must be an array of strings, not empty'],
    ['a callback', [['ls'], { onStdout() {} }], 'onStdout'],
    ['stdin', [['ls'], { stdin: 'x' }], 'stdin'],
    ['stdin of a script', ['1', {}, [], { stdin: 'x' }], 'stdin is for commands'],
    ['no options', [['ls'], null], 'options must be an object; got null'],
    ['an encoding it has not', [['ls'], { encoding: 'hex' }], 'encoding'],
  ])('%s is an error thrown at once', (_, args, message) => {
    expect(() => container.spawn(...args)).toThrow(message);
    expect(double.jobs).toHaveLength(0);
  });
});

describe('stdout and stderr', () => {
  test('give the bytes of their stream, and end', async () => {
    writing([1, 'a'], [2, [0xff]], [1, 'b']);
    const { stdout, stderr } = container.spawn('');
    expect(Buffer.concat(await read(stdout))).toEqual(Buffer.from('ab'));
    expect(Buffer.concat(await read(stderr))).toEqual(Buffer.from([0xff]));
  });

  test("give whole characters with encoding: 'utf8'", async () => {
    const [a, b, c] = Buffer.from('€');
    writing([1, [a]], [2, [a, b]], [1, [b, c]], [2, [c]]);
    const { stdout, stderr } = container.spawn('', {}, [], { encoding: 'utf8' });
    expect((await read(stdout)).join('|')).toBe('€');
    expect((await read(stderr)).join('|')).toBe('€');
  });

  test('take chunks that come after the outcome was sent before it', async () => {
    double.program = async (_, { write }) => {
      setImmediate(() => write(1, 'late'));
      return outcome({ chunks: 1 });
    };
    const { stdout } = container.spawn('');
    expect(String(await read(stdout))).toBe('late');
  });

  test('hold chunks back while nobody reads, each stream for itself', async () => {
    const process = driven();
    const child = container.spawn('');
    const full = Buffer.alloc(child.stdout.readableHighWaterMark);
    process.write(1, full);
    process.write(1, 'more');
    process.write(2, 'x');
    await turn();
    expect(process.line.pending).toBe(2);
    expect(child.stdout.readableLength).toBe(full.length + 4);
    child.stdout.resume();
    await turn();
    expect(process.line.pending).toBe(0);
  });

  test('discard what comes once they are destroyed, and the process goes on', async () => {
    const process = driven();
    const child = container.spawn('');
    process.write(1, Buffer.alloc(child.stdout.readableHighWaterMark));
    await turn();
    expect(process.line.pending).toBe(1);
    child.stdout.destroy();
    process.write(1, 'more');
    await turn();
    expect(process.line.pending).toBe(0);
    process.end({ exitCode: 3 });
    expect(await child.exit).toMatchObject({ exitCode: 3 });
  });

  test('can be read after the end', async () => {
    writing([1, 'a']);
    const child = container.spawn('');
    await child.exit;
    expect(String(await read(child.stdout))).toBe('a');
  });
});

describe('stdin', () => {
  test('is written in order, and ended', async () => {
    const process = driven();
    const { stdin } = container.spawn(['cat']);
    stdin.write('a');
    stdin.write(new Uint8Array([98]));
    stdin.end('c');
    await new Promise((resolve) => stdin.on('finish', resolve));
    expect(Buffer.concat(process.line.written).toString()).toBe('abc');
    expect(process.line.stdinEnded).toBe(true);
  });

  test('crosses over in pieces that are bounded', async () => {
    const process = driven();
    const { stdin } = container.spawn(['cat']);
    await new Promise((resolve) => stdin.write(Buffer.alloc(200_000), resolve));
    const sizes = process.line.written.map((piece) => piece.length);
    expect(sizes).toEqual([65536, 65536, 65536, 200_000 - 3 * 65536]);
  });

  test('is held back while nothing is read', async () => {
    const process = driven();
    const gate = deferred();
    const { stdin } = container.spawn(['cat']);
    process.line.reading = () => gate.promise;
    let written = 0;
    const source = Readable.from(
      (function* chunks() {
        for (; written < 1000; written += 1) yield Buffer.alloc(16 * 1024);
      })(),
    );
    const piped = promisify(pipeline)(source, stdin);
    await turn();
    await turn();
    expect(written).toBeLessThan(20);
    gate.resolve(true);
    await piped;
    expect(Buffer.concat(process.line.written)).toHaveLength(1000 * 16 * 1024);
  });

  test('fails with EPIPE where nothing will be read any more', async () => {
    const process = driven();
    const { stdin } = container.spawn(['true']);
    process.line.reading = async () => false;
    const source = Readable.from([Buffer.from('x')]);
    await expect(promisify(pipeline)(source, stdin)).rejects.toMatchObject({ code: 'EPIPE' });
  });

  test('is destroyed with the end of the process, and what is written then harms nobody', async () => {
    const child = container.spawn(['true']);
    await child.exit;
    expect(child.stdin.destroyed).toBe(true);
    const error = await new Promise((resolve) => child.stdin.write('x', resolve));
    expect(error).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });
});

describe('exit', () => {
  test('resolves with the result, without the output', async () => {
    writing([1, 'a']);
    const result = await container.spawn('').exit;
    expect(result).toMatchObject({ exitCode: 0, reason: 'exit', signal: null, path: 'warm' });
    expect(result).not.toHaveProperty('stdout');
    expect(result).not.toHaveProperty('stderr');
  });

  test('rejects as execute does, and destroys the streams with the error', async () => {
    double.program = async () => failureJson('CONTAINER_LOST', 'lost');
    const child = container.spawn(['cat']);
    const error = await child.exit.catch((reason) => reason);
    expect(error).toMatchObject({ code: 'CONTAINER_LOST' });
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      expect(stream.errored).toBe(error);
    }
    await expect(read(child.stdout)).rejects.toBe(error);
  });

  test('that rejects with nobody looking is no unhandled rejection, nor an uncaught error', async () => {
    const uncaught = jest.fn();
    process.on('unhandledRejection', uncaught).on('uncaughtException', uncaught);
    try {
      double.program = async () => failureJson('CONTAINER_LOST', 'lost');
      const child = container.spawn(['cat']);
      await new Promise((resolve) => child.stdout.on('close', resolve));
      await turn();
      expect(uncaught).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', uncaught).off('uncaughtException', uncaught);
    }
  });

  test.each([
    ['later', () => new AbortController()],
    [
      'already',
      () => {
        const controller = new AbortController();
        controller.abort(new Error('enough'));
        return controller;
      },
    ],
  ])('rejects with the reason of a signal that is aborted %s', async (_, make) => {
    const controller = make();
    double.program = (_job, { stopped }) => stopped.then(() => new Promise(() => {}));
    const child = container.spawn(['cat'], { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(child.exit).rejects.toThrow('enough');
    await expect(read(child.stdout)).rejects.toThrow('enough');
    expect(child.stdin.destroyed).toBe(true);
    expect(container.status).toBe('TERMINATED');
  });
});

describe('kill', () => {
  test('ends the call with a result, and says whether it ran', async () => {
    driven();
    const child = container.spawn('');
    expect(child.kill('SIGTERM')).toBe(true);
    expect(await child.exit).toMatchObject({ reason: 'signal', signal: 'SIGKILL', exitCode: 137 });
    expect(await read(child.stdout)).toEqual([]);
    expect(child.kill()).toBe(false);
    expect(double.killed).toBe(1);
  });

  test('takes no signal that ends nothing', () => {
    driven();
    const child = container.spawn('');
    expect(() => child.kill('SIGUSR1')).toThrow("signal must be one of 'SIGKILL', 'SIGTERM'");
    expect(double.killed).toBe(0);
  });

  test('is what await using does, up to the end', async () => {
    driven();
    const child = container.spawn('');
    await child[Symbol.asyncDispose]();
    expect(child.kill()).toBe(false);
    expect(double.killed).toBe(1);
  });
});

describe('lines', () => {
  const linesOf = (child, options) => read(child.lines(options));

  test.each([
    [1, '\u{1f600}'.repeat(3), ['\u{1f600}', '\u{1f600}', '\u{1f600}']],
    [2, 'a\u{1f600}b', ['a', '\u{1f600}', 'b']],
    [3, 'ab\u{1f600}\u{1f600}', ['ab', '\u{1f600}', '\u{1f600}']],
    [3, 'a\u{1f600}b\u{1f600}', ['a\u{1f600}', 'b\u{1f600}']],
  ])(
    'of more than %i characters are cut between two, not within one',
    async (maxLength, text, pieces) => {
      writing([1, text]);
      expect(await linesOf(container.spawn(''), { maxLength })).toEqual(pieces);
    },
  );

  test.each([
    ['end with \\n or \\r\\n', ['a\nb\r\n\nc\rd\n'], ['a', 'b', '', 'c\rd']],
    ['need no end at last', ['a\nb'], ['a', 'b']],
    ['may be cut anywhere', ['a', 'b\r', '\nc', '\n'], ['ab', 'c']],
    ['are none where there is no output', [], []],
  ])('%s', async (_, chunks, expected) => {
    writing(...chunks.map((chunk) => [1, chunk]));
    expect(await linesOf(container.spawn(''))).toEqual(expected);
  });

  test.each(['buffer', 'utf8'])('are whole characters, however cut (%s)', async (encoding) => {
    writing(...[...Buffer.from('ä€\n€')].map((byte) => [1, [byte]]));
    expect(await linesOf(container.spawn('', {}, [], { encoding }))).toEqual(['ä€', '€']);
  });

  test.each([
    ['aaaaa\nb\n', ['aaa', 'aa', 'b']],
    ['aaa\nb', ['aaa', 'b']],
    ['aaa\r\nb\n', ['aaa', 'b']],
    ['aaaaaa\n\nb\n', ['aaa', 'aaa', '', 'b']],
    ['aaaaaa', ['aaa', 'aaa']],
  ])('of more than maxLength come in pieces: %j', async (text, expected) => {
    for (const chunks of [[text], [...text]]) {
      writing(...chunks.map((chunk) => [1, chunk]));
      expect(await linesOf(container.spawn(''), { maxLength: 3 })).toEqual(expected);
    }
  });

  test('of stdout are what iterating gives; those of stderr by name', async () => {
    writing([1, 'out\n'], [2, 'err\n']);
    const child = container.spawn('');
    expect(await read(child)).toEqual(['out']);
    expect(await linesOf(child, { from: 'stderr' })).toEqual(['err']);
  });

  test('left early, the process goes on', async () => {
    const process = driven();
    const child = container.spawn('');
    process.write(1, 'a\nb\n');
    for await (const line of child) {
      expect(line).toBe('a');
      break;
    }
    expect(child.stdout.destroyed).toBe(true);
    process.write(1, 'c\n');
    process.end();
    expect(await child.exit).toMatchObject({ reason: 'exit' });
  });

  test('have no other options', () => {
    const child = container.spawn('');
    expect(() => child.lines({ from: 'stdin' })).toThrow("from must be 'stdout' or 'stderr'");
    expect(() => child.lines({ maxLength: 0 })).toThrow('maxLength must be a whole number');
  });
});

test('pipeline takes its streams', async () => {
  writing([1, 'a'], [1, 'b']);
  const seen = [];
  const sink = new Writable({
    write(chunk, _, callback) {
      seen.push(String(chunk));
      callback();
    },
  });
  await promisify(pipeline)(container.spawn('').stdout, sink);
  expect(seen.join('')).toBe('ab');
});
