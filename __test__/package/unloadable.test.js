'use strict';

// A binary that can't be loaded: each reason is told by its name, with what helps. Laid out as npm does it,
// in a folder of its own.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const manifest = require('../../package.json');
const { TARGETS, hostTarget } = require('../../lib/binding/target');
const { layOut } = require('../../harness/published');
const { Project, ROOT } = require('../support/installed');

const HERE = hostTarget();
const BINARY = path.join(ROOT, `scientist-pool.${HERE}.node`);
const OTHER = TARGETS.find((target) => target !== HERE);
const AGAIN = 'Install scientist-pool again, on the machine it is to run on.';

let project;
let main;

beforeEach(async () => {
  // Whoever may run the tests as root also looks at it as nobody.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'unloadable-'));
  fs.chmodSync(folder, 0o755);
  project = new Project(folder);
  main = project.path('node_modules/scientist-pool');
  await layOut(main, ['package.json', 'index.js', 'agents', 'bin', 'cli', 'observing']);
});
afterEach(() => project.remove());

/** Installs the package of a target; its binary is a link to this machine's, or has these bytes. */
function install(target, bytes) {
  const name = `scientist-pool-${target}`;
  const folder = project.path(`node_modules/${name}`);
  const file = path.join(folder, `scientist-pool.${target}.node`);
  fs.mkdirSync(folder);
  fs.writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({ name, version: manifest.version, main: path.basename(file) }),
  );
  if (bytes === undefined) fs.symlinkSync(BINARY, file);
  else fs.writeFileSync(file, bytes);
  return file;
}

/** The beginning of this machine's binary, with some bytes of it changed. */
function beginning(changes = {}) {
  const bytes = Buffer.alloc(2 ** 20);
  const fd = fs.openSync(BINARY);
  fs.readSync(fd, bytes);
  fs.closeSync(fd);
  for (const [at, byte] of Object.entries(changes)) bytes[at] = byte;
  return bytes;
}

const MAKE = `
  try {
    new (require('scientist-pool'))();
    console.log('loaded');
  } catch ({ name, code, message, cause }) {
    console.log(name + ' ' + code + ': ' + message);
  }`;

/** What making a pool comes to, in a Node.js started with these flags. */
async function outcome(flags = []) {
  const { stdout, code } = await project.node([...flags, '-e', MAKE]);
  expect(code).toBe(0);
  return stdout.trimEnd();
}

const unavailable = (reason, remedy, target = HERE) =>
  `PoolError BINDING_UNAVAILABLE: The native part of scientist-pool for ${target} could not be loaded: ${reason}. ${remedy}`;

test('one that is as it should be is loaded', async () => {
  install(HERE);
  expect(await outcome()).toBe('loaded');
});

test('not installed', async () => {
  const said = unavailable(
    `Cannot find module 'scientist-pool-${HERE}'`,
    `It comes with the package scientist-pool-${HERE}: install scientist-pool again, without --omit=optional.`,
  );
  expect(await outcome()).toBe(said);
});

test('installed for another machine only', async () => {
  install(OTHER);
  expect(await outcome()).toContain(
    `The one for ${OTHER} is installed: install scientist-pool on the machine it is to run on.`,
  );
});

test('not built, in a clone', async () => {
  fs.writeFileSync(path.join(main, 'Cargo.toml'), '');
  expect(await outcome()).toMatch(/Run `npm run build`\.$/);
});

test('made for a machine that has none', async () => {
  project.write('arch.js', "Object.defineProperty(process, 'arch', { value: 'riscv64' });");
  const target = HERE.replace(process.arch, 'riscv64');
  const said = unavailable(
    'none is made for it',
    `There are those for ${TARGETS.join(', ')}.`,
    target,
  );
  expect(await outcome(['-r', './arch.js'])).toBe(said);
});

test('cut short', async () => {
  const file = install(HERE, beginning());
  const { size } = fs.statSync(BINARY);
  const said = await outcome();
  const [, end] = /cut short: 1048576 bytes of (\d+)\. /.exec(said);
  expect(Number(end)).toBeLessThanOrEqual(size);
  expect(said).toBe(unavailable(`${file} is cut short: 1048576 bytes of ${end}`, AGAIN));
});

test('empty', async () => {
  const file = install(HERE, '');
  expect(await outcome()).toBe(unavailable(`${file}: file too short`, AGAIN));
});

test.each([
  [
    'a machine that has binaries too',
    process.arch === 'x64' ? 183 : 62,
    process.arch === 'x64' ? 'arm64' : 'x64',
  ],
  ['another machine', 243, 'ELF machine 243'],
])('made for %s', async (_, number, name) => {
  const file = install(HERE, beginning({ 18: number }));
  expect(await outcome()).toBe(
    unavailable(`${file} is for ${name}, and this is ${process.arch}`, AGAIN),
  );
});

test('no binary for this system at all', async () => {
  const file = install(HERE, beginning({ 0: 0xcf }));
  expect(await outcome()).toBe(unavailable(`${file}: invalid ELF header`, AGAIN));
});

test('not to be read by this user', async () => {
  const file = install(HERE, beginning());
  fs.chmodSync(file, 0);
  const who = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { stdout } = spawnSync(process.execPath, ['-e', MAKE], {
    ...{ cwd: project.path('.'), encoding: 'utf8', ...who },
  });
  expect(stdout.trimEnd()).toBe(
    unavailable(
      `${file}: cannot open shared object file: Permission denied`,
      'Let the user of this process read it.',
    ),
  );
});

test('on a file system mounted noexec', async () => {
  install(HERE);
  const folder = project.path(`node_modules/scientist-pool-${HERE}`);
  // In name spaces of its own: nobody else sees the mount.
  const { stdout, stderr } = spawnSync(
    'unshare',
    [
      ...['--user', '--map-root-user', '--mount', 'sh', '-ec'],
      `mkdir -p "$1/node_modules" && cp -rL node_modules "$1" && mount -t tmpfs -o noexec none "$0"
       cp -r "$1/node_modules/\${0##*/}/." "$0" && exec "$2" -e "$3"`,
      ...[folder, project.path('copy'), process.execPath, MAKE],
    ],
    { cwd: project.path('.'), encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(stdout).toContain('failed to map segment from shared object');
  expect(stdout).toContain('It is on a file system that is mounted noexec: mount it without, or');
});

test('--no-addons', async () => {
  install(HERE);
  const said = unavailable(
    'Cannot load native addon because loading addons is disabled',
    'Start Node.js without --no-addons, which NODE_OPTIONS may have, too.',
  );
  expect(await outcome(['--no-addons'])).toBe(said);
});

describe("Node's permission model", () => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const flags = [flag, '--allow-fs-read=*', '--no-warnings'];

  test('without --allow-addons', async () => {
    install(HERE);
    expect(await outcome(flags)).toContain('Start Node.js with --allow-addons: ');
  });

  test('with it', async () => {
    install(HERE);
    expect(await outcome([...flags, '--allow-addons'])).toBe('loaded');
  });
});

test('of another version', async () => {
  install(HERE);
  fs.writeFileSync(
    path.join(main, 'package.json'),
    JSON.stringify({ ...manifest, version: '99.0.0' }),
  );
  const said = `it is of version ${manifest.version}, and the package of version 99.0.0`;
  expect(await outcome()).toBe(unavailable(said, AGAIN));
});

describe('in a bundle, whose code is no longer in the folder of the package', () => {
  const REMEDY = 'A bundler left it out: keep scientist-pool out of the bundle, or';

  async function bundled() {
    // A bundle has the version in it, and here finds it beside.
    fs.renameSync(path.join(main, 'lib'), project.path('bundle'));
    project.write('package.json', JSON.stringify({ version: manifest.version }));
    const load = `
      try {
        require('./bundle').loadNative();
      } catch ({ message }) {
        console.log(message);
      }`;
    return (await project.node(['-e', load])).stdout;
  }

  test('left out', async () => {
    expect(await bundled()).toContain(`Cannot find module 'scientist-pool-${HERE}'. ${REMEDY}`);
  });

  test('copied, with its path in its place', async () => {
    fs.writeFileSync(install(HERE, '').replace(/[^/]+$/, 'package.json'), '{ "main": "path.js" }');
    const folder = project.path(`node_modules/scientist-pool-${HERE}`);
    fs.writeFileSync(path.join(folder, 'path.js'), "module.exports = 'a1b2.node';");
    expect(await bundled()).toContain(`'a1b2.node' stands in its place. ${REMEDY}`);
  });
});

test('doctor says the same', async () => {
  const { stdout, code } = await project.node([
    path.join(main, 'bin/scientist-pool.js'),
    ...['doctor', '--json'],
  ]);
  expect(code).toBe(1);
  const { name, state, detail } = JSON.parse(stdout).findings.at(-1);
  expect({ name, state }).toEqual({ name: 'native part', state: 'failure' });
  expect(`PoolError ${detail}`).toBe(await outcome());
});

describe('the machines that a binary is made for', () => {
  test('are each asked for by name, where bundlers see it', () => {
    const source = fs.readFileSync(path.join(main, 'lib/index.js'), 'utf8');
    const required = (before, after) => [
      ...source.matchAll(
        RegExp(`case "(.+)":\n +return require\\("${before}(.+)${after}"\\)`, 'g'),
      ),
    ];
    const all = TARGETS.map((target) => [target, target]);
    const pairs = (matches) => matches.map(([, target, name]) => [target, name]);
    expect(pairs(required('../scientist-pool\\.', '\\.node'))).toEqual(all);
    expect(pairs(required('scientist-pool-', ''))).toEqual(all);
  });

  test('are told apart by the C library of the process itself', () => {
    const read = jest.spyOn(fs, 'readFileSync');
    try {
      read.mockReturnValueOnce('7f00-7f01 r-xp 0 08:01 1 /lib/ld-musl-x86_64.so.1\n');
      expect(hostTarget()).toMatch(/-musl$/);
    } finally {
      read.mockRestore();
    }
  });
});
