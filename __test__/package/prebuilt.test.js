'use strict';

// What the release publishes, laid out as it does it, with a word standing in for the binary of each other target.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { TARGETS } = require('../../lib/binding/target');
const { compare, glibcOf } = require('../../scripts/glibc');
const { FILE } = require('../../scripts/licenses');
const { PROGRAMS } = require('../../harness/programs');
const { Project, ROOT, execute, pack } = require('../support/installed');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'prebuilt-'));
const binary = fs.readdirSync(ROOT).find((name) => name.endsWith('.node'));
const here = binary.split('.')[1];
const manifestOf = (where) => JSON.parse(fs.readFileSync(path.join(folder, where, 'package.json')));
let main;

beforeAll(async () => {
  const { paths } = await pack(folder);
  for (const name of [...paths, 'Cargo.toml'].filter((file) => file !== binary)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.copyFileSync(path.join(ROOT, name), path.join(folder, name));
  }
  fs.mkdirSync(path.join(folder, 'binaries'));
  for (const platform of TARGETS) {
    const file = path.join(folder, 'binaries', `scientist-pool.${platform}.node`);
    if (platform === here) fs.copyFileSync(path.join(ROOT, binary), file);
    else fs.writeFileSync(file, platform);
  }
  // As an upload leaves them, which keeps no modes.
  for (const name of PROGRAMS) {
    for (const processor of ['x64', 'arm64']) {
      fs.writeFileSync(path.join(folder, 'binaries', `${name}.linux-${processor}`), processor);
    }
  }
  const script = path.join(ROOT, 'scripts/prebuilt.js');
  await execute(process.execPath, [script, 'binaries'], { cwd: folder });
  main = await pack(folder, folder);
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test('lib/ is one file, in which the classes have their names', () => {
  expect(main.paths.filter((name) => name.startsWith('lib/'))).toEqual(['lib/index.js']);
  const text = fs.readFileSync(path.join(folder, 'lib/index.js'), 'utf8');
  const classes = [...text.matchAll(/\bvar (\w+) = class(?: (?!extends)(\w+))?/g)];
  expect(classes.map(([, name]) => name)).toContain('ContainerPoolManager');
  // To one that names itself esbuild gives another name within.
  expect(classes.filter(([, name, within]) => within !== undefined || /\d$/.test(name))).toEqual(
    [],
  );
});

test('every platform has a package of its own, for itself alone', () => {
  expect(fs.readdirSync(path.join(folder, 'npm')).sort()).toEqual([...TARGETS].sort());
  const { version } = manifestOf('.');
  for (const platform of TARGETS) {
    const [os, cpu, abi] = platform.split('-');
    const libc = { gnu: ['glibc'], musl: ['musl'] }[abi];
    expect(manifestOf(`npm/${platform}`)).toMatchObject({
      ...{ name: `scientist-pool-${platform}`, version, os: [os], cpu: [cpu] },
      ...(os === 'linux' ? { libc } : {}),
    });
  }
});

test('the main package names them all as optional, at its own version, and has no binary', () => {
  const { optionalDependencies, version } = manifestOf('.');
  expect(optionalDependencies).toEqual(
    Object.fromEntries(TARGETS.map((platform) => [`scientist-pool-${platform}`, version])),
  );
  expect(main.paths.filter((name) => name.endsWith('.node'))).toEqual([]);
});

test('beside each binary for Linux are the programs of its processor, for everybody to run', async () => {
  const programs = await Promise.all(
    TARGETS.map(async (platform) => {
      const { files } = await pack(folder, path.join(folder, 'npm', platform));
      const found = files.filter(({ path }) => PROGRAMS.includes(path));
      return [platform, found.map(({ path, mode }) => [path, mode.toString(8)]).sort()];
    }),
  );
  for (const [platform, found] of programs) {
    const [system, processor] = platform.split('-');
    const expected = PROGRAMS.map((name) => [name, '755']).sort();
    expect([platform, found]).toEqual([platform, system === 'linux' ? expected : []]);
    for (const [name] of found) {
      const text = fs.readFileSync(path.join(folder, 'npm', platform, name), 'utf8');
      expect(text).toBe(processor);
    }
  }
});

test('beside each binary are the licences of what it is made of', () => {
  const text = fs.readFileSync(path.join(ROOT, FILE), 'utf8');
  for (const platform of TARGETS) {
    expect(manifestOf(`npm/${platform}`).files).toContain(FILE);
    expect(fs.readFileSync(path.join(folder, 'npm', platform, FILE), 'utf8')).toBe(text);
  }
});

describe('installed', () => {
  let project;
  beforeAll(async () => {
    const native = await pack(folder, path.join(folder, 'npm', here));
    project = await Project.with([main.file, native.file]);
  });
  afterAll(() => project?.remove());

  test('it finds the binary in the package of its platform', async () => {
    const source = `
      const { run, shutdown } = require('scientist-pool');
      const { FakeEngine } = require('scientist-pool/testing');
      FakeEngine.start().then(async (engine) => {
        engine.install().reply('', { stdout: 'it works' });
        console.log((await run('1')).stdout);
        await shutdown();
        await engine.close();
      });`;
    expect(await project.node(['-e', source])).toEqual({
      ...{ code: 0, stdout: 'it works\n', stderr: '' },
    });
  });

  test('it is two files that Node loads, and those of the binary with the first pool', async () => {
    const source = `
      const path = require('node:path');
      const loaded = () =>
        Object.keys(require.cache).map((file) => path.relative('node_modules', file)).sort();
      const Pool = require('scientist-pool');
      const required = loaded();
      new Pool({ engine: 'tcp://127.0.0.1:1' }).shutdown().catch(() => {});
      console.log(JSON.stringify([required, loaded()]));`;
    const { stdout } = await project.node(['-e', source]);
    const files = ['scientist-pool/index.js', 'scientist-pool/lib/index.js'];
    const native = `scientist-pool-${here}/${binary}`;
    expect(JSON.parse(stdout)).toEqual([
      files,
      [native, ...files, 'scientist-pool/package.json'].sort(),
    ]);
  });
});

describe('the glibc that a binary needs', () => {
  test('is read from it', () => {
    const file = path.join(folder, 'some.node');
    fs.writeFileSync(file, '\x7fELF\0GLIBC_2.9\0GLIBC_2.17\0GLIBC_2.2.5\0memcpy\0GLIBC_PRIVATE\0');
    expect(glibcOf(file)).toBe('2.17');
  });

  test('is compared by its numbers', () => {
    expect(['2.34', '2.9', '2.17'].sort(compare)).toEqual(['2.9', '2.17', '2.34']);
  });
});
