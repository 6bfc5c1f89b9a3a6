'use strict';

// npx scientist-pool run --file, --collect and --out.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { namesOf } = require('../../cli/files');
const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

let folder;
let script;
const at = (...names) => path.join(folder, ...names);
/** Writes a file here, with the folders on its way. */
function put(name, text, mode = 0o644) {
  fs.mkdirSync(path.dirname(at(name)), { recursive: true });
  fs.writeFileSync(at(name), text, { mode });
  return at(name);
}
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cli-files-')));
  script = put('tool.py', 'print("the tool")');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const run = (...args) =>
  cli(['run', script, ...args], { env: { DOCKER_HOST: bench.engine.address } });

describe('--file', () => {
  /** Runs with these options; gives what the script found: path → text. */
  async function found(...args) {
    const files = {};
    bench.engine.reset();
    bench.engine.reply('the tool', ({ container }) => {
      for (const [name, bytes] of container.files) files[name] = String(bytes);
      return {};
    });
    const { stderr, code } = await run(...args);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    return files;
  }

  test('puts a file there under its own name', async () => {
    expect(await found('--file', put('in/a.csv', '1,2'))).toEqual({ 'a.csv': '1,2' });
  });

  test('puts a file there under the name behind the last colon', async () => {
    expect(await found('--file', `${put('a:b.csv', '1,2')}:data/a.csv`)).toEqual({
      'data/a.csv': '1,2',
    });
  });

  test("puts a folder's files there below its name, a path, or none", async () => {
    put('in/a', 'A');
    put('in/deep/er/b', 'B');
    expect(await found('--file', at('in'))).toEqual({ 'in/a': 'A', 'in/deep/er/b': 'B' });
    expect(await found('--file', `${at('in')}:x/y`)).toEqual({
      'x/y/a': 'A',
      'x/y/deep/er/b': 'B',
    });
    expect(await found('--file', `${at('in')}:.`)).toEqual({ a: 'A', 'deep/er/b': 'B' });
  });

  test('can be given as often as needed', async () => {
    const files = await found('--file', put('a', 'A'), '--file', `${put('b', 'B')}:c`);
    expect(files).toEqual({ a: 'A', c: 'B' });
  });

  test('passes on a file of many pieces as it is', async () => {
    const text = 'line\n'.repeat(1024 ** 2);
    expect((await found('--file', put('big', text))).big === text).toBe(true);
  });

  test('does not follow links in a folder', async () => {
    put('secret/key', 'K');
    put('in/a', 'A');
    fs.symlinkSync(at('secret'), at('in/linked'));
    fs.symlinkSync(at('secret/key'), at('in/key'));
    expect(await found('--file', at('in'))).toEqual({ 'in/a': 'A' });
  });

  test.each([
    [() => at('none'), /--file \S+none: ENOENT/],
    [
      () => `${script}:../x`,
      /the PATH of --file \S+ must be .* got '\.\.\/x': '\.\.' may not be in it/,
    ],
    [() => `${script}:/x`, /the PATH of --file \S+ must be .* got '\/x': it is absolute/],
    [() => `${script}:.`, /the PATH of --file \S+ must be .* got '\.'/],
    [() => '/dev/null', /--file \/dev\/null: it is neither a file nor a folder/],
  ])('that makes no sense is told, and nothing is made: %s', async (entry, message) => {
    const { stderr, code } = await run('--file', entry());
    expect(stderr).toMatch(message);
    expect(code).toBe(125);
    expect(bench.engine.made).toBe(0);
  });

  test('twice for one place is told', async () => {
    const { stderr, code } = await run(
      '--file',
      `${put('a', '')}:x`,
      '--file',
      `${put('b', '')}:x`,
    );
    expect(stderr).toContain(`--file ${at('b')}:x: another --file is to be x already`);
    expect(code).toBe(125);
  });
});

describe('--collect and --out', () => {
  const left = { 'out/a.csv': '1,2', 'out/deep/b': Buffer.from([0xff, 0]), other: 'x' };

  test('write what matches below a folder that is made for it', async () => {
    bench.engine.reply('the tool', { files: left, stdout: 'said', exitCode: 3 });
    const ended = await run('--collect', 'out/**', '--collect', 'none', '--out', at('to/here'));
    expect(ended).toEqual({ stdout: 'said', stderr: '', code: 3 });
    expect(fs.readdirSync(at('to/here'), { recursive: true }).sort()).toEqual([
      ...['out', 'out/a.csv', 'out/deep', 'out/deep/b'],
    ]);
    expect(fs.readFileSync(at('to/here/out/a.csv'), 'utf8')).toBe('1,2');
    expect([...fs.readFileSync(at('to/here/out/deep/b'))]).toEqual([0xff, 0]);
  });

  test('--json lists them with their sizes', async () => {
    bench.engine.reply('the tool', { files: left, stdout: 'said' });
    const { stdout } = await run('--json', '--collect', 'out/**', '--out', at('here'));
    expect(JSON.parse(stdout)).toMatchObject({
      stdout: 'said',
      files: [
        { path: 'out/a.csv', bytes: 3 },
        { path: 'out/deep/b', bytes: 2 },
      ],
    });
  });

  test('say so where nothing matches', async () => {
    const { stderr, code } = await run('--collect', '*.csv', '--out', at('here'));
    expect(stderr).toBe('scientist-pool: there is no file that matches --collect *.csv\n');
    expect(code).toBe(0);
  });

  test('take the place of a file, and of a link instead of writing to where it leads', async () => {
    bench.engine.reply('the tool', { files: { a: 'new', b: 'new' } });
    put('here/a', 'old');
    put('kept', 'kept');
    fs.symlinkSync(at('kept'), at('here/b'));
    expect(await run('--collect', '*', '--out', at('here'))).toMatchObject({ code: 0 });
    expect(['here/a', 'here/b', 'kept'].map((name) => fs.readFileSync(at(name), 'utf8'))).toEqual([
      ...['new', 'new', 'kept'],
    ]);
    expect(fs.readdirSync(at('here')).sort()).toEqual(['a', 'b']);
  });

  test('do not follow a link to a folder', async () => {
    bench.engine.reply('the tool', { files: { 'out/deep/b': 'x' } });
    fs.mkdirSync(at('elsewhere'));
    fs.mkdirSync(at('here'));
    fs.symlinkSync(at('elsewhere'), at('here/out'));
    const { stderr, code } = await run('--collect', '**', '--out', at('here'));
    expect(stderr).toContain(
      `--out ${at('here')}: ${at('here/out')} is a link, and is not followed`,
    );
    expect(code).toBe(125);
    expect(fs.readdirSync(at('elsewhere'))).toEqual([]);
  });

  test('a folder in the place of a file is told, and nothing half-done is left', async () => {
    bench.engine.reply('the tool', { files: { a: 'x' } });
    fs.mkdirSync(at('here/a/b'), { recursive: true });
    const { stderr, code } = await run('--collect', 'a', '--out', at('here'));
    expect(stderr).toContain(`--out ${at('here')}: E`);
    expect(code).toBe(125);
    expect(fs.readdirSync(at('here'))).toEqual(['a']);
  });

  test('names that a script has chosen are told with nothing in them that a terminal obeys', async () => {
    bench.engine.reply('the tool', { files: { 'a\x1b]0;title\x07\u202e': 'x' } });
    fs.mkdirSync(at('here/a\x1b]0;title\x07\u202e/b'), { recursive: true });
    const { stderr, code } = await run('--collect', '*', '--out', at('here'));
    expect(stderr).toContain(String.raw`a\x1b]0;title\x07\u{202e}`);
    expect(stderr).not.toMatch(/[^\P{C}\n]/u);
    expect(code).toBe(125);
  });

  test('what can not be written is told beside a result that is there, and the rest is written', async () => {
    bench.engine.reply('the tool', { files: { a: 'x', b: 'y' }, stdout: 'said' });
    fs.mkdirSync(at('here/a'), { recursive: true });
    const { stdout, code } = await run('--json', '--collect', '*', '--out', at('here'));
    expect(JSON.parse(stdout)).toMatchObject({
      stdout: 'said',
      files: [{ path: 'b', bytes: 1 }],
      fileErrors: [{ path: 'a', code: 'INVALID_ARGUMENT' }],
    });
    expect(code).toBe(125);
  });

  test('a folder that can not be made is told before anything is', async () => {
    const { stderr, code } = await run('--collect', '*', '--out', path.join(script, 'x'));
    expect(stderr).toContain(`--out ${script}/x: ENOTDIR`);
    expect(code).toBe(125);
    expect(bench.engine.made).toBe(0);
  });

  test('a wrong pattern is told by the option', async () => {
    const { stderr, code } = await run('--collect', '../*', '--out', at('here'));
    expect(stderr).toContain('--collect ../* must be a relative path');
    expect(code).toBe(125);
    expect(bench.engine.made).toBe(0);
  });

  test('of a script that its timeout ended, there are no files', async () => {
    bench.engine.reply('the tool', { files: left, reason: 'timeout' });
    const { stderr, code } = await run('--timeout', '50', '--collect', '**', '--out', at('here'));
    expect(stderr).toMatch(/^scientist-pool: ended after \d+ ms by its timeout\n$/);
    expect(code).toBe(137);
    expect(fs.readdirSync(at('here'))).toEqual([]);
  });
});

describe('names that a script has chosen', () => {
  test('are written as they are', () => {
    expect(namesOf('a b/:c\\d', '--out x', 'linux')).toEqual(['a b', ':c\\d']);
    expect(namesOf('console/com.csv', '--out x', 'win32')).toEqual(['console', 'com.csv']);
  });

  test.each([
    ...['../a', 'a/../../b', '/etc/x', 'a//b', './a'].map((name) => [name, 'linux']),
    ...['c:x', 'a\\..\\b', 'f:stream', 'nul', 'a/CON.txt', 'lpt1', 'a.', 'a '].map((name) => [
      ...[name, 'win32'],
    ]),
  ])('but %j on %s', (name, platform) => {
    expect(() => namesOf(name, '--out x', platform)).toThrow(`--out x: ${name} can't be written`);
  });
});
