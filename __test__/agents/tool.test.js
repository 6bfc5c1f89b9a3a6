'use strict';

// What a model is told of a call, whichever framework it is reached through: on a pool that gives what it is told to.

const { PythonTool } = require('../../agents/tool');
const { PoolError } = require('../../lib/errors');

/** A pool each of whose calls comes to the same; `calls` has what it was called with. */
function poolOf(result, { files = {}, fileErrors = [] } = {}) {
  const calls = [];
  const whole = {
    ...{ stdout: '', stderr: '', exitCode: 0, reason: 'exit', signal: null, duration: 5 },
    ...{ display: [], displayCut: [] },
  };
  const run = async (...call) => {
    calls.push(call);
    if (result instanceof Error) throw result;
    return { ...whole, ...result, files: { ...files }, fileErrors };
  };
  return { run, calls };
}

const textOf = async (result, options, given = { code: '' }) =>
  (await new PythonTool(poolOf(result), options).call(given)).text;

test('a call passes code, files and its settings on', async () => {
  const pool = poolOf({});
  const { signal } = new AbortController();
  const tool = new PythonTool(pool, { timeout: 5_000, collect: '*.png' });
  await tool.call({ code: 'x', files: [{ path: 'a/b', content: 'c' }] }, { signal });
  expect(pool.calls).toEqual([
    ['x', { files: { 'a/b': 'c' }, collect: '*.png', timeout: 5_000, signal, display: true }],
  ]);
});

describe('the model is told', () => {
  test.each([
    ['what was printed', { stdout: 'a', stderr: 'b' }, 'stdout:\na\n\nstderr:\nb'],
    ['that nothing was', {}, 'The code ended well and printed nothing.'],
    ['the exit code', { exitCode: 3 }, 'The code ended with exit code 3.'],
    ['of a timeout', { reason: 'timeout', exitCode: 137, duration: 30 }, /ended after 30 ms/],
    ['of a want of memory', { reason: 'oom', exitCode: 137 }, /used up its memory/],
    ['of its CPU time', { reason: 'cpu', exitCode: 137 }, /used up its processor time/],
    ['of its output', { reason: 'output_limit', exitCode: 137 }, /printed too much/],
    ['of a signal', { reason: 'signal', signal: 'SIGSEGV', exitCode: 139 }, /ended by SIGSEGV/],
  ])('%s', async (_, result, text) => {
    const said = await textOf(result);
    if (typeof text === 'string') expect(said).toBe(text);
    else expect(said).toMatch(text);
  });

  test('the end of a long output, and how much of its middle is left out', async () => {
    const stderr = `Traceback\n${'x'.repeat(1000)}\nValueError: bad`;
    const said = await textOf({ stderr, exitCode: 1 }, { mostText: 100 });
    expect(said).toMatch(
      /^stderr:\nTraceback\nx+\n\[… 926 characters left out …\]\nx+\nValueError: bad/,
    );
  });

  test('which files it left, but not those that it was given and has not changed', async () => {
    const files = { 'in.csv': Buffer.from('1'), 'out.csv': Buffer.from('22') };
    const fileErrors = [new PoolError('FILE_LIMIT', 'big.bin is too big')];
    const pool = poolOf({}, { files, fileErrors });
    const outcome = await new PythonTool(pool).call({
      code: '',
      files: [{ path: 'in.csv', content: '1' }],
    });
    expect(outcome.text).toBe(
      'Files: out.csv (2 bytes)\n\nFiles that are missing: big.bin is too big',
    );
    expect(outcome.files).toEqual({ 'out.csv': Buffer.from('22') });
  });

  test.each([
    ['no object', 'print(1)', /must be an object with "code"/],
    ['no code', {}, /"code" must be a string/],
    ['files of another shape', { code: '', files: { a: 'b' } }, /"files" must be a list/],
  ])('what is wrong with its input: %s', async (_, input, text) => {
    const pool = poolOf({});
    const outcome = await new PythonTool(pool).call(input);
    expect(outcome).toMatchObject({
      isError: true,
      text: expect.stringMatching(text),
      result: null,
    });
    expect(pool.calls).toEqual([]);
  });

  test('that a file could not be put there', async () => {
    const said = await textOf(new PoolError('FILE_ERROR', 'a: no space'));
    expect(said).toBe('The code did not run: a: no space');
  });
});

test.each([
  ['an end that is no success', { exitCode: 1 }, true],
  ['an end by another', { reason: 'timeout' }, true],
  ['a success', {}, false],
])('isError: %s', async (_, result, isError) => {
  expect(await new PythonTool(poolOf(result)).call({ code: '' })).toMatchObject({ isError });
});

test('pictures are told apart from other files, and those that are too big are left out', async () => {
  const small = Buffer.alloc(8);
  const files = { 'a.PNG': small, 'b.jpg': small, 'c.csv': small, 'd.png': Buffer.alloc(4 << 20) };
  const { pictures } = await new PythonTool(poolOf({}, { files })).call({ code: '' });
  expect(pictures).toEqual([
    { path: 'a.PNG', mediaType: 'image/png', data: small },
    { path: 'b.jpg', mediaType: 'image/jpeg', data: small },
  ]);
});

test('what was shown is told in words, and pictures of it are pictures', async () => {
  const png = Buffer.alloc(8);
  const display = [
    { 'text/plain': '<Figure>', 'image/png': png },
    { 'text/html': '<b>' },
    { 'text/plain': '42', 'image/svg+xml': '<svg/>' },
  ];
  const displayCut = [
    { index: 1, type: 'image/png', bytes: 9 },
    { index: null, type: null, bytes: null },
  ];
  const tool = new PythonTool(poolOf({ display, displayCut }));
  const { text, pictures } = await tool.call({ code: '' });
  expect(text).toBe('shown:\n<Figure>\ntext/html\n42\n[too large: image/png (9 bytes), more]');
  expect(pictures).toEqual([{ path: 'shown-1.png', mediaType: 'image/png', data: png }]);
});

test.each(['ENGINE_UNAVAILABLE', 'POOL_CLOSED', 'CONTAINER_LOST'])(
  '%s is no fault of the model',
  async (code) => {
    const call = new PythonTool(poolOf(new PoolError(code, 'no'))).call({ code: '' });
    await expect(call).rejects.toMatchObject({ code });
  },
);

test.each([
  [undefined, {}, 'pool must be a ContainerPoolManager; got undefined'],
  [poolOf({}), { nam: 'x' }, 'nam'],
  [poolOf({}), { name: '' }, 'name must be text'],
  [poolOf({}), { timeout: -1 }, 'timeout must be'],
  [poolOf({}), { mostText: 1 }, 'mostText must be'],
])('a wrong option is an error at once: %#', (pool, options, message) => {
  expect(() => new PythonTool(pool, options)).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    }),
  );
});
