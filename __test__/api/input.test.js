'use strict';

// What a call brings into a container: text that has a UTF-8, bytes that are still there, and no more of
// either than the container can hold. All of it is looked at before anything is copied or sent.

const { outcome } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

const MiB = 1024 ** 2;
const HALF = '\ud83d';

let ContainerPoolManager;
let double;
let container;

beforeEach(async () => {
  ({ ContainerPoolManager, double } = loadWithDouble());
  container = await new ContainerPoolManager().acquire();
});

const refused = (...parts) => ({
  code: 'INVALID_ARGUMENT',
  message: expect.stringMatching(new RegExp(parts.join('.*'), 's')),
});

/** Bytes whose memory has gone to somebody else. */
function transferred() {
  const bytes = new Uint8Array(4);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

describe('half of a surrogate pair is refused, and its place named, in', () => {
  afterEach(() => expect(double.jobs).toEqual([]));

  test.each([
    ['a script', 'script', (c) => c.execute(`'${HALF}'`)],
    ['an argument', 'args\\[1\\]', (c) => c.execute('', {}, ['fine', HALF])],
    ['the value of a variable', "env\\['A'\\]", (c) => c.execute('', { A: HALF })],
    ['the name of a variable', 'env\\[', (c) => c.execute('', { [HALF]: 'x' })],
    ["Docker's spelling of one", "Env\\['A'\\]", (c) => c.execute(['x'], { Env: [`A=${HALF}`] })],
    ['a working directory', 'cwd', (c) => c.execute('', {}, [], { cwd: `/${HALF}` })],
    ["Docker's spelling of one", 'WorkingDir', (c) => c.execute(['x'], { WorkingDir: HALF })],
    ['a word of a command', 'cmd\\[1\\]', (c) => c.executeCommand(['echo', HALF])],
    ['what a command reads', 'stdin', (c) => c.executeCommand(['cat'], { stdin: HALF })],
    ['a file', "files\\['a'\\]", (c) => c.writeFiles({ a: HALF })],
  ])('%s', async (_, place, call) => {
    await expect(call(container)).rejects.toMatchObject(refused(place, 'half of a surrogate pair'));
  });

  test.each([
    ['labels', { labels: { a: HALF } }],
    ['labels', { labels: { [HALF]: 'a' } }],
    ['tmpfs', { tmpfs: { [`/${HALF}`]: 'size=1m' } }],
    ['engine.certPath', { engine: { certPath: HALF } }],
    ['engine.host', { engine: `unix:///${HALF}` }],
    ['seccomp', { seccomp: { defaultAction: HALF } }],
    ['seccomp', { seccomp: { defaultAction: 'SCMP_ACT_ERRNO', [HALF]: 1 } }],
    ['seccomp', { seccomp: '{"defaultAction":"\\ud83d"}' }],
  ])('%s: %j', (place, options) => {
    expect(() => new ContainerPoolManager(options)).toThrow(
      expect.objectContaining(refused(place, 'half of a surrogate pair')),
    );
  });
});

test('whole pairs go in as they are', async () => {
  double.program = async () => outcome();
  await container.execute('# \u{1f600}', { A: '\u{1f600}' }, ['\u{1f600}']);
  expect(double.jobs[0].script.toString()).toBe('# \u{1f600}');
  expect(double.jobs[0]).toMatchObject({ env: ['A', '\u{1f600}'], args: ['\u{1f600}'] });
});

test.each([
  ['execute', (script) => container.execute(script)],
  ['spawn', (script) => container.spawn(script).exit],
  ['run', (script) => new ContainerPoolManager().run(script)],
])('a script may be bytes, which go in as they are: %s', async (_, call) => {
  double.program = async () => outcome();
  const source = Buffer.from([0x27, 0xe9, 0x27]);
  await call(new Uint8Array(source));
  expect(double.jobs[0].script.equals(source)).toBe(true);
});

describe('a transferred ArrayBuffer is told as such', () => {
  test.each([
    ['script', () => container.execute(transferred())],
    ['stdin', () => container.executeCommand(['cat'], { stdin: transferred() })],
    ['a', () => container.writeFiles({ a: transferred() })],
    [
      'a',
      () =>
        container.writeFiles({
          a: (async function* () {
            yield transferred();
          })(),
        }),
    ],
  ])('%s', async (place, call) => {
    await expect(call()).rejects.toMatchObject(refused(place, 'transferred'));
  });

  test('also where that happens as the file is written', async () => {
    const late = new Uint8Array(8);
    let sent = 0;
    double.written = async () => {
      if (sent++ === 0) structuredClone(late.buffer, { transfer: [late.buffer] });
      return null;
    };
    const files = { first: Buffer.alloc(4 * MiB), late };
    await expect(container.writeFiles(files)).rejects.toMatchObject(refused('late', 'transferred'));
  });
});

describe('what the container can not hold is refused with its size and the limit', () => {
  const big = (size) => 'x'.repeat(size);
  const on = (memory) => new ContainerPoolManager({ memory });

  test.each([
    ['script', (pool) => pool.run(big(32 * MiB + 1)), 32 * MiB + 1, 32 * MiB],
    ['script', (pool) => pool.run(new Uint8Array(33 * MiB)), 33 * MiB, 32 * MiB],
    ['args', (pool) => pool.run('', { args: [big(2 * MiB)] }), 2 * MiB + 4, 2 * MiB],
    ['args', (pool) => pool.run('', { args: Array(9e5).fill('') }), 3_600_000, 2 * MiB],
    ['env', (pool) => pool.run('', { env: { A: big(2 * MiB) } }), 2 * MiB + 9, 2 * MiB],
    ['cmd', (pool) => pool.run(['x', big(2 * MiB)]), 2 * MiB + 9, 2 * MiB],
    ['cwd', (pool) => pool.run('', { cwd: big(4096) }), 4096, 4095],
    [
      'glob',
      async (pool) => (await pool.acquire()).readFiles(Array(6000).fill(big(200))),
      1_200_000,
      MiB,
    ],
  ])('%s', async (name, call, size, most) => {
    await expect(call(on('32m'))).rejects.toMatchObject(
      refused(`${name} has ${size} bytes; the most is ${most}$`),
    );
    expect(double.jobs).toEqual([]);
  });

  test('gigabytes of the same text are counted, not copied', async () => {
    const args = Array(200).fill(big(100 * MiB));
    await expect(on('128m').run('', { args })).rejects.toMatchObject(refused('args has 20971'));
  });

  test.each([
    ['args', { args: ['x'.repeat(7 * MiB)] }],
    ['env', { env: { A: 'x'.repeat(7 * MiB) } }],
  ])('megabytes fit into a container of the default size: %s', async (_, options) => {
    double.program = async () => outcome();
    await new ContainerPoolManager().run('', options);
    expect(double.jobs).toHaveLength(1);
  });
});

test('a Container is not made with new', () => {
  expect(() => new ContainerPoolManager.Container()).toThrow(
    expect.objectContaining(refused('acquire\\(\\) one')),
  );
});
