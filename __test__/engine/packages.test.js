'use strict';

// Packages on top of an image, from an index on this machine. The images of the tests have no pip: it comes from there.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Index, sha256 } = require('../../harness/package-index');
const { wheelsOf } = require('../../harness/packages');
const { Pools, address, outside, until } = require('../support/engine');
const { cli } = require('../support/cli');
const { makeSource, makeWheel } = require('../support/wheels');

const IMAGE = 'python:3.9-slim';
const pools = new Pools();
/** Of this run: what it derives is taken away by it. */
const run = `t${process.pid}`;
const named = (name) => `${name}-${run}`;

let folder;
let index;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'index-'));
  const pip = await wheelsOf(['pip'], '3.9');
  for (const file of fs.readdirSync(pip)) {
    fs.copyFileSync(path.join(pip, file), path.join(folder, file));
  }
  const wheel = (name, { text = '', ...rest } = {}) => {
    const module = `${name}_${run}`;
    return makeWheel(folder, { name: module, files: { [`${name}.py`]: text }, ...rest });
  };
  wheel('greeting', {
    text: 'import tools\nWORDS = "hello, " + tools.WHO\n',
    needs: [named('tools')],
  });
  wheel('tools', { text: 'WHO = "world"\n' });
  wheel('tools', { text: 'WHO = "all"\n', version: '2.0' });
  wheel('unsound');
  const later = path.basename(wheel('later'));
  wheel('elsewhere', { tag: 'cp27-cp27m-win32' });
  fs.writeFileSync(path.join(folder, `source_${run}-1.0.tar.gz`), 'no archive');
  makeSource(folder, { name: `built_${run}`, files: { 'built.py': 'BY = "backend"\n' } });
  index = await new Index(folder, { python: { [later]: '>=3.99' } }).listen();
}, 300_000);
afterEach(pools.close);
afterAll(async () => {
  index?.close();
  await outside().forgetDerived(run);
  fs.rmSync(folder, { recursive: true, force: true });
});

const make = (options) =>
  pools.make({ image: IMAGE, poolSize: 0, indexUrl: index.url(), ...options });

const HELLO = 'import greeting; print(greeting.WORDS)';

/** How often a file was fetched. */
const fetched = (name) => index.asked.filter((file) => file.includes(`/files/${name}`)).length;

test('are there with what they need, looked up before what the image has, and nowhere else', async () => {
  const pool = make({ packages: [named('greeting')], preload: ['greeting'] });
  const steps = [];
  pool.on('pull', ({ status }) => steps.push(status));
  const script = `
import sys
had = 'greeting' in sys.modules
import greeting, importlib.metadata
print(had, greeting.WORDS, greeting.__file__, importlib.metadata.version('tools-${run}'))`;
  const { stdout, stderr } = await pool.run(script);
  const file = '/usr/lib/scientist-pool/packages/greeting.py';
  expect({ stdout, stderr }).toEqual({ stdout: `True hello, all ${file} 2.0`, stderr: '' });
  expect(steps).toContain(`Collecting ${named('greeting')}`);
  expect(steps).toContain('Extracting');
  const plain = pools.make({ image: IMAGE, poolSize: 0 });
  expect((await plain.run(HELLO)).stderr).toMatch(/ModuleNotFoundError/);
});

test('are installed once for all that want the same, however they write it', async () => {
  const name = `TOOLS_${run}`;
  const before = fetched('tools');
  const all = [
    [`${name} == 1.0`],
    [`${named('tools')}==1.0`],
    [`tools.${run}  ==1.0`, `${name}==1.0`],
  ];
  const said = all.map((packages) => make({ packages }).run('import tools; print(tools.WHO)'));
  expect((await Promise.all(said)).map(({ stdout }) => stdout)).toEqual([
    'world',
    'world',
    'world',
  ]);
  await make({ packages: all[0] }).run('import tools');
  expect(fetched('tools') - before).toBe(1);
});

test('come of a file of requirements, whose hashes count', async () => {
  const file = path.join(folder, 'requirements.txt');
  const sum = sha256(path.join(folder, `tools_${run}-2.0-py3-none-any.whl`));
  const write = (hash) =>
    fs.writeFileSync(
      file,
      `# of a lock\n${named('tools')}==2.0 \\\n    --hash=sha256:${hash}  # pinned\n`,
    );
  write(sum);
  const pool = make({ requirements: file });
  expect((await pool.run('import tools; print(tools.WHO)')).stdout).toBe('all');
  write('0'.repeat(64));
  await expect(make({ requirements: file }).run('pass')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(
      `^requirements can't be installed: tools.${run}: .*does not match its hash`,
    ),
  });
});

test.each([
  ['nothing', 'the index has no such package'],
  ['tools==9', 'no version fits; there are 1.0, 2.0'],
  ['later', 'it does not fit Python 3.9 on .*takes Python >=3.99'],
  ['elsewhere', 'it does not fit Python 3.9 on linux'],
  ['source', 'it has no wheel'],
])('%s is refused in a sentence that names it', async (text, why) => {
  const name = text.replace(/^\w+/, named);
  await expect(make({ packages: [name] }).run('pass')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(`^packages can't be installed: ${name}.*: ${why}`),
  });
});

test('of an index that wants a login come with it, and it is in no message', async () => {
  const guarded = await new Index(folder, { login: 'reader:pass word' }).listen();
  try {
    const at = (login) => guarded.url(login);
    const packages = [named('tools')];
    const pool = make({ packages, indexUrl: at('reader:pass%20word@') });
    const told = [];
    for (const event of ['pull', 'engine', 'created', 'egress'])
      pool.on(event, (...what) => told.push(...what));
    const all = `
import os, tools
for folder, _, files in os.walk('/usr/lib/scientist-pool'):
    for name in files:
        assert b'pass' not in open(os.path.join(folder, name), 'rb').read(), name
print(tools.WHO, 'pass' in str(os.environ))`;
    expect(await pool.run(all)).toMatchObject({ stdout: 'all False', stderr: '' });
    expect(JSON.stringify([told, pool.stats()])).not.toMatch(/pass.{0,3}word/);
    const failing = make({ packages, indexUrl: at('reader:wrong@') });
    const refused = await failing.run('pass').then(
      () => null,
      (error) => error,
    );
    // Known already, whoever asks.
    expect(refused).toBe(null);
    const other = make({ packages: [named('unsound')], indexUrl: at('reader:wrong@') });
    const error = await other.run('pass').catch((reason) => reason);
    expect(error).toMatchObject({ code: 'IMAGE_PULL_FAILED' });
    expect(error.message).toMatch(/indexUrl, http:.*it wants other credentials/);
    expect(error.message).not.toMatch(/wrong/);
  } finally {
    guarded.close();
  }
});

test('are built where that is wanted, and only then', async () => {
  const packages = [named('built')];
  await expect(make({ packages }).run('pass')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/: it has no wheel, .*see onlyBinary$/),
  });
  const pool = make({ packages, onlyBinary: false });
  expect((await pool.run('import built; print(built.BY)')).stdout).toBe('backend');
  const broken = make({ packages: [named('source')], onlyBinary: false });
  await expect(broken.run('pass')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/^packages can't be installed: /),
  });
});

describe('on the command line', () => {
  const images = path.join(os.tmpdir(), `packages-${run}`);
  const { env } = outside();
  // What is removed there is of this test alone. On Docker it is told of the pools of others by their files here.
  if (address() === 'local') env.XDG_CACHE_HOME = images;
  const command = async (...args) => {
    const { stdout } = await cli([...args, '--json'], { env });
    const { images: all, removed } = JSON.parse(stdout);
    return (removed ?? all).filter(({ name }) => name.endsWith(` + ${named('unsound')}`));
  };
  afterAll(() => fs.rmSync(images, { recursive: true, force: true }));

  test('are shown, and removed unless a pool has them that has no container', async () => {
    const options = {
      ...{ engine: address(), image: outside().image(IMAGE), poolSize: 0 },
      ...{ packages: [named('unsound')], indexUrl: index.url() },
    };
    const script = `
      const { ContainerPoolManager } = require(${JSON.stringify(path.resolve(__dirname, '../..'))});
      const pool = new ContainerPoolManager(${JSON.stringify(options)});
      pool.initialize().then(() => console.log('there'));
      process.stdin.resume();`;
    const stdio = ['pipe', 'pipe', 'inherit'];
    const user = spawn(process.execPath, ['-e', script], {
      env: { ...process.env, ...env },
      stdio,
    });
    await once(user.stdout, 'data');
    expect(await command('images')).toMatchObject([{ inUse: true }]);
    expect(await command('prune', '--images', '--yes')).toEqual([]);
    user.kill('SIGKILL');
    await once(user, 'exit');
    // On the engine local its launcher holds the image, too.
    const [image] = await until(async () => {
      const found = await command('images');
      return found.every(({ inUse }) => !inUse) && found;
    });
    expect(image.size).toBeGreaterThan(0);
    expect(await command('prune', '--images', '--yes')).toMatchObject([{ digest: image.digest }]);
    expect(await command('images')).toEqual([]);
  });
});

test('of an index that does not answer are an error that says so', async () => {
  const pool = make({ packages: [named('tools')], indexUrl: 'http://127.0.0.1:1/simple' });
  await expect(pool.run('pass')).rejects.toMatchObject({
    code: 'IMAGE_PULL_FAILED',
    message: expect.stringMatching(
      /^packages can't be installed from indexUrl, http:\/\/127.0.0.1:1\/simple: /,
    ),
  });
});

test('whose installation was killed half-way leave nothing, and are installed by who waits for them', async () => {
  const packages = [`${named('greeting')}==1.0`, named('unsound')];
  const label = `killed-${run}`;
  const options = {
    ...{
      engine: address(),
      image: outside().image(IMAGE),
      poolSize: 0,
      packages,
      indexUrl: index.url(),
    },
    labels: { 'test.pool': label },
  };
  const script = `
    const { ContainerPoolManager } = require(${JSON.stringify(path.resolve(__dirname, '../..'))});
    new ContainerPoolManager(${JSON.stringify(options)}).initialize();`;
  index.hold(`/files/unsound_${run}`);
  const child = spawn(process.execPath, ['-e', script], { stdio: 'inherit' });
  await until(() => index.held > 0);
  const trace = await outside().traceOf(child.pid, label);
  const waiting = make({ packages }).run(HELLO);
  child.kill('SIGKILL');
  await once(child, 'exit');
  index.release();
  expect((await waiting).stdout).toBe('hello, all');
  await until(async () => (await trace.left()).length === 0);
  if (address() === 'local') return;
  const left = await outside().client.listContainers({ all: true });
  expect(left.flatMap(({ Names }) => Names).filter((name) => name.includes('-packages-'))).toEqual(
    [],
  );
});
