'use strict';

const { createHash, randomBytes } = require('node:crypto');
const { Readable } = require('node:stream');

const { deferred, failureJson, outcome } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

const MiB = 1024 ** 2;

let ContainerPoolManager;
let double;
let pool;
let container;

beforeEach(async () => {
  ({ ContainerPoolManager, double } = loadWithDouble());
  pool = new ContainerPoolManager();
  container = await pool.acquire();
});

/** Has the double keep what is written, as the native side would; path → content. */
function keepFiles() {
  const files = {};
  const parts = {};
  const batches = [];
  double.written = async (pieces) => {
    batches.push(pieces.reduce((size, { data }) => size + data.length, 0));
    for (const { path, temporary, offset, data, mode } of pieces) {
      const part = parts[temporary] ?? Buffer.alloc(0);
      expect(part.length).toBe(offset);
      parts[temporary] = Buffer.concat([part, data]);
      if (mode !== undefined) files[path] = { data: parts[temporary], mode };
    }
    return null;
  };
  return { files, batches };
}

const digest = (data) => createHash('md5').update(data).digest('hex');

describe('what is wrong is told before anything is sent', () => {
  const long = 'n'.repeat(256);
  const wrongPaths = ['', '/a', '../a', 'a/../b', '.', './a', 'a//b', 'a/', 'a\0b', long];
  wrongPaths.push(`${'a/'.repeat(2000)}a`, '\ud800');

  afterEach(() => expect(native().status).toBe('READY'));
  const native = () => [...double.pools[0].leased][0];
  const refused = (part) => ({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(part),
  });

  test.each(wrongPaths)('a path %j', async (path) => {
    await expect(container.writeFiles({ fine: 'x', [path]: 'x' })).rejects.toMatchObject(
      refused('files['),
    );
    await expect(container.readFile(path)).rejects.toMatchObject(refused('path must be'));
    await expect(container.readFiles(path)).rejects.toMatchObject(refused('glob must be'));
    await expect(container.readFiles(['fine', path])).rejects.toMatchObject(refused('glob[1]'));
    await expect(pool.run('1', { files: { [path]: '' } })).rejects.toMatchObject(refused('files['));
    await expect(pool.run('1', { collect: [path] })).rejects.toMatchObject(refused('collect[0]'));
    expect(double.jobs).toEqual([]);
  });

  test.each([
    [1, 'a number'],
    [null, 'null'],
    [undefined, 'an undefined'],
    [['x'], 'an array'],
    [{}, 'an undefined'],
    [new Date(0), 'an object'],
    [new Uint16Array(1), 'an object'],
  ])('a content %p', async (content, shown) => {
    await expect(container.writeFiles({ f: content })).rejects.toMatchObject(refused(shown));
  });

  test.each([-1, 0o1000, 1.5, '755', null])('permissions %p', async (mode) => {
    const files = { f: { data: '', mode } };
    await expect(container.writeFiles(files)).rejects.toMatchObject(refused("files['f'].mode"));
  });

  test.each([
    [() => container.writeFiles(null), 'files must be'],
    [() => container.writeFiles({}, { tiemout: 1 }), 'did you mean timeout?'],
    [() => container.writeFiles({ f: { data: '', modes: 1 } }), 'did you mean mode?'],
    [() => container.writeFiles({}, { signal: 1 }), 'signal must be'],
    [() => container.readFile(1), 'path must be'],
    [() => container.readFile('f', 'latin1'), 'encoding must be'],
    [() => container.readFile('f', { maxBytes: -1 }), 'maxBytes must be'],
    [() => container.readFile('f', { maxFiles: 1 }), 'maxFiles is no option'],
    [() => container.readFiles('f', { maxFiles: 1.5 }), 'maxFiles must be'],
    [() => container.readFiles(1), 'glob must be'],
    [() => container.readFiles('*.{a,b}'), 'glob: '],
    [() => pool.run('1', { files: [] }), 'files must be'],
    [() => pool.run('1', { collect: 1 }), 'collect must be'],
    [() => container.execute('1', {}, [], { collect: 'f' }), 'collect must be true or false'],
    [() => container.execute('1', {}, [], { files: {} }), 'files is no option'],
  ])('%s', async (call, shown) => {
    await expect(call()).rejects.toMatchObject(refused(shown));
  });
});

describe('writeFiles', () => {
  test('sends small files together, with their permissions', async () => {
    const { files, batches } = keepFiles();
    const view = new Uint8Array(Buffer.from('-bytes-').buffer, 0, 0);
    await container.writeFiles({ a: 'ä', b: view, c: { data: Buffer.from('x'), mode: 0o700 } });
    expect(batches).toEqual([3]);
    expect(files.a).toEqual({ data: Buffer.from('ä'), mode: 0o644 });
    expect(files.b.data).toHaveLength(0);
    expect(files.c).toEqual({ data: Buffer.from('x'), mode: 0o700 });
  });

  test('sends nothing for no files', async () => {
    const { batches } = keepFiles();
    await container.writeFiles({});
    expect(batches).toEqual([]);
  });

  test('cuts large files and streams into pieces of 4 MiB', async () => {
    const { files, batches } = keepFiles();
    const data = randomBytes(9 * MiB + 1);
    const chunks = async function* () {
      for (let at = 0; at < data.length; at += 300_000) yield data.subarray(at, at + 300_000);
    };
    await container.writeFiles({ small: 'x', whole: data, stream: chunks() });
    expect(Math.max(...batches)).toBe(4 * MiB);
    expect(digest(files.whole.data)).toBe(digest(data));
    expect(digest(files.stream.data)).toBe(digest(data));
  });

  test('takes no more from a stream than it has sent', async () => {
    const gate = deferred();
    double.written = () => gate.promise;
    let given = 0;
    const chunks = async function* () {
      for (; given < 10; given += 1) yield Buffer.alloc(MiB);
    };
    const writing = container.writeFiles({ f: chunks() });
    await new Promise(setImmediate);
    expect(given).toBeLessThanOrEqual(4);
    gate.resolve(null);
    await writing;
    expect(given).toBe(10);
  });

  test('ends a stream that is not read to its end, and takes away what there is of the file', async () => {
    let ended = false;
    const discarded = [];
    double.discarded = async (path) => {
      discarded.push(path);
      return null;
    };
    double.written = async () =>
      failureJson('FILE_ERROR', 'full', { path: 'f', errno: 'ENOSPC', containerId: 'x' });
    const chunks = async function* () {
      try {
        for (;;) yield Buffer.alloc(MiB);
      } finally {
        ended = true;
      }
    };
    await expect(container.writeFiles({ f: chunks() })).rejects.toMatchObject({
      name: 'PoolError',
      code: 'FILE_ERROR',
      path: 'f',
      errno: 'ENOSPC',
      stack: expect.stringContaining('files.test.js'),
    });
    expect({ ended, discarded }).toEqual({ ended: true, discarded: ['f'] });
  });

  test('ends the streams behind one that fails, and hears of those that fail before their turn', async () => {
    const first = new Readable({ read() {} });
    const second = new Readable({ read() {} });
    const third = new Readable({ read() {} });
    const writing = container.writeFiles({ a: first, b: second, c: third });
    third.destroy(new Error('too soon'));
    await new Promise(setImmediate);
    first.destroy(new Error('broken'));
    await expect(writing).rejects.toThrow('broken');
    expect([second.destroyed, third.destroyed]).toEqual([true, true]);

    const broken = new Readable({ read() {} });
    const ended = Readable.from(['x']);
    const late = container.writeFiles({ a: ended, b: broken });
    broken.destroy(new Error('too soon'));
    await expect(late).rejects.toThrow('too soon');
  });

  test('refuses a chunk that is neither text nor bytes', async () => {
    const chunks = async function* () {
      yield 'text';
      yield 42;
    };
    await expect(container.writeFiles({ f: chunks() })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('a number'),
    });
  });
});

describe('a call about files', () => {
  test("has the pool's timeout unless it has one of its own", async () => {
    const timeouts = [];
    double.read = async (_path, _maxBytes, timeoutMs) => {
      timeouts.push(timeoutMs);
      return Buffer.alloc(0);
    };
    await container.readFile('f', { timeout: 0 });
    await container.readFile('f', { timeout: 5000 });
    await container.readFile('f');
    expect(timeouts[0]).toBe(0);
    expect(timeouts[1]).toBeGreaterThan(4000);
    expect(timeouts[2]).toBeGreaterThan(599_000);
  });

  test('rejects with the reason of its signal, and the container is ended', async () => {
    double.read = () => new Promise(() => {});
    const controller = new AbortController();
    const reading = container.readFile('f', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    expect(container.status).toBe('TERMINATED');
  });

  test('waits for no stream when the signal was aborted as a piece came to its end', async () => {
    const controller = new AbortController();
    double.written = async () => {
      controller.abort(new Error('enough'));
      return null;
    };
    const stalls = async function* () {
      yield Buffer.alloc(4 * MiB + 1);
      await new Promise(() => {});
    };
    const writing = container.writeFiles({ f: stalls() }, { signal: controller.signal });
    await expect(writing).rejects.toThrow('enough');
    expect(container.status).toBe('TERMINATED');
  });

  test('of an aborted signal does nothing but end the container', async () => {
    const { batches } = keepFiles();
    const signal = AbortSignal.abort(new Error('before'));
    await expect(container.writeFiles({ f: '' }, { signal })).rejects.toThrow('before');
    expect([batches, container.status]).toEqual([[], 'TERMINATED']);
  });
});

describe('run with files', () => {
  test('gives them beside the result, by whatever name', async () => {
    double.readAll = async (patterns, maxFiles, maxBytes) => {
      expect([patterns, maxFiles, maxBytes]).toEqual([['*'], 1000, 64 * MiB]);
      return ['__proto__', 'toString'].map((path) => ({ path, data: Buffer.from(path) }));
    };
    const { files, stdout } = await pool.run('1', { collect: '*' });
    expect(Object.keys(files)).toEqual(['__proto__', 'toString']);
    expect([String(files.toString), stdout]).toEqual(['toString', '']);
  });

  test('has its result whatever becomes of them', async () => {
    double.readAll = async () => failureJson('CONTAINER_LOST', 'gone');
    const { files, fileErrors, exitCode } = await pool.run('1', { collect: '*' });
    expect([Object.keys(files), exitCode]).toEqual([[], 0]);
    expect(fileErrors).toEqual([
      { path: null, code: 'CONTAINER_LOST', errno: null, message: 'gone' },
    ]);
  });

  test('tells of each that could not be had', async () => {
    const failed = failureJson('FILE_ERROR', 'no', { path: 'd', errno: 'EACCES' });
    double.readAll = async () => ({ files: [], faults: [failed] });
    const { fileErrors } = await pool.run('1', { collect: '*' });
    expect(fileErrors).toEqual([{ path: 'd', code: 'FILE_ERROR', errno: 'EACCES', message: 'no' }]);
    await expect(container.readFiles('*')).rejects.toMatchObject({ code: 'FILE_ERROR', path: 'd' });
  });

  test('rejects with the reason of a signal that was aborted as they were collected', async () => {
    const controller = new AbortController();
    double.readAll = () => {
      controller.abort(new Error('enough'));
      return new Promise(() => {});
    };
    const run = pool.run('1', { collect: '*', signal: controller.signal });
    await expect(run).rejects.toThrow('enough');
  });

  test.each([{ reason: 'timeout' }, { reason: 'output_limit' }, { reason: 'cpu', signal: 9 }])(
    'asks for none where the call ended the container: %p',
    async (ended) => {
      double.program = async () => outcome({ exitCode: 137, ...ended });
      double.readAll = () => {
        throw new Error('asked for');
      };
      const { files } = await pool.run('1', { collect: '*' });
      expect(Object.keys(files)).toEqual([]);
    },
  );

  test('goes to another container where the first was dead, unless a file came from a stream', async () => {
    const dead = failureJson('CONTAINER_LOST', 'dead', { unsent: true });
    const answers = [dead, null, dead];
    double.written = async () => answers.shift();
    await expect(pool.run('1', { files: { f: 'x' } })).resolves.toMatchObject({ exitCode: 0 });
    const source = async function* () {
      yield 'x';
    };
    await expect(pool.run('1', { files: { f: source() } })).rejects.toThrow('dead');
  });
});

describe('an iterator that is none', () => {
  const over = (iterator) => ({ [Symbol.asyncIterator]: () => iterator });
  /** Gives enough for a part of it to be in the container, and then what is wrong. */
  const begun = (then) => {
    let first = true;
    return () => {
      if (!first) return then();
      first = false;
      return { value: Buffer.alloc(5 * MiB) };
    };
  };
  const failing = () => {
    throw new Error('its own');
  };

  test.each([
    ['nothing', undefined, "files['a']: its iterator has no next()"],
    ['no next', {}, "files['a']: its iterator has no next()"],
    ['a next that is none', { next: 1 }, "files['a']: its iterator has no next()"],
    ['a next that gives nothing', { next: begun(() => undefined) }, 'next() gave an undefined'],
    ['a next that throws', { next: begun(failing) }, 'its own'],
    [
      'a next that throws beside a return that does',
      { next: begun(failing), return: failing },
      'its own',
    ],
    [
      'a return that is none',
      { next: begun(() => ({ value: 1 })), return: 1 },
      'a chunk of a stream must be',
    ],
    [
      'a return that gives nothing',
      { next: begun(() => ({ value: 1 })), return() {} },
      'a chunk of a stream',
    ],
  ])('%s: the first error is told, and what was written goes', async (_, iterator, message) => {
    keepFiles();
    const discarded = [];
    double.discarded = async (path) => discarded.push(path) && null;
    const begins = typeof iterator?.next === 'function';
    await expect(container.writeFiles({ a: over(iterator) })).rejects.toThrow(message);
    expect(discarded).toEqual(begins ? ['a'] : []);
  });

  test('a stream whose destroy fails hides no error, and is asked once', async () => {
    keepFiles();
    const stream = { ...over({ next: failing }), on: true, destroy: jest.fn(failing) };
    await expect(container.writeFiles({ a: stream })).rejects.toThrow('its own');
    expect(stream.destroy).toHaveBeenCalledTimes(1);
  });
});
