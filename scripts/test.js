'use strict';

// `npm test`: sets up what the tests need, runs all of them, and takes everything down again.
// Arguments are passed on to jest. Only built-in modules until the dependencies are installed.

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { buildAddon } = require('../harness/addon');
const { defer, runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { say } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');
const paths = require('../harness/paths');
const { MARK, given, jest, startEngine, stopEngine } = require('./jest');
const { Steps } = require('./steps');

/** The faults that any engine must stand, and those that the local one alone can have. */
const FAULTS_ON_LOCAL = [
  ...['exhaustion', 'killed-inside', 'launcher-stopped', 'process-ends', 'process-killed'],
  ...['pull-killed', 'store', 'two-processes', 'workers'],
];

/** They choose that engine themselves. */
const ABUSE_ON_LOCAL = '__test__/abuse/(forks|local|runtimes)\\.test\\.js$';

/** Files of tests side by side: most of their time they wait for engines. */
const SIDE_BY_SIDE = '--maxWorkers=2';
/** What looks at all that an engine or a machine has, or leaves there what the next process is to find. */
const ALONE = '__test__/(abuse|faults)/';

/** What runs on the local engine as well, and what of that alone. */
const ON_LOCAL = [
  ...[SIDE_BY_SIDE, '--testPathPatterns', '__test__/(engine|tools)/'],
  '__test__/fidelity/fidelity\\.test\\.js$',
];
const ALONE_ON_LOCAL = [
  ...['--runInBand', '--testPathPatterns'],
  `__test__/faults/(${FAULTS_ON_LOCAL.join('|')})\\.test\\.js$`,
  ABUSE_ON_LOCAL,
  '__test__/abuse/(egress|secrets)\\.test\\.js$',
];

/** The OCI runtimes that the local engine is tried with. */
const RUNTIMES = ['crun', 'runc', 'runsc'];
/** What runs under another kernel as well. */
const UNDER_RUNTIME = [
  ...[SIDE_BY_SIDE, '--testPathPatterns'],
  '__test__/engine/(execute|limits|runtime)\\.test\\.js$',
];

/** What an ordinary user runs of that: all but what takes control groups. */
const AS_NOBODY = [
  ...[SIDE_BY_SIDE, '--testPathPatterns'],
  '__test__/engine/(execute|files|image-user|limits|security|sharing|spawn|template)\\.test\\.js$',
];
const NOBODY = 65534;

/** Adds up what every test binary of a `cargo test` reports. */
function countCargo(output) {
  const counts = { passed: 0, failed: 0 };
  const results = /^test result: \w+\. (\d+) passed; (\d+) failed;/gm;
  for (const [, passed, failed] of output.matchAll(results)) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
  }
  return counts;
}

async function cargoTest(args, env) {
  try {
    const { output } = await run('cargo', ['test', '--locked', '--all-features', ...args], {
      cwd: paths.root,
      env,
    });
    const counts = countCargo(output);
    return { ...counts, note: `${counts.passed} passed` };
  } catch (error) {
    throw Object.assign(error, countCargo(error.output ?? ''));
  }
}

/** Runs jest as a user who has nothing but a home of its own, with the archives of images in its caches. */
async function jestAsNobody(args, env, reports) {
  const { archiveOf } = require('../harness/archives');
  const as = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const load = [process.execPath, '-e', `require(${JSON.stringify(paths.root)})`];
  const { code } = await run(as[0], [...as.slice(1), ...load], { cwd: '/', check: false });
  if (code !== 0)
    return { note: 'left out: an ordinary user can not read this folder', skipped: 1 };
  const home = fs.mkdtempSync(path.join(reports, 'nobody-'));
  const archives = path.join(home, 'scientist-pool/archives');
  fs.chmodSync(reports, 0o711);
  fs.mkdirSync(archives, { recursive: true });
  for (const image of ['python:3.9-slim', 'busybox:stable']) {
    fs.copyFileSync(archiveOf(image), path.join(archives, path.basename(archiveOf(image))));
  }
  for (const entry of ['', ...fs.readdirSync(home, { recursive: true })]) {
    fs.chownSync(path.join(home, entry), NOBODY, NOBODY);
  }
  const own = { HOME: home, TMPDIR: home, XDG_CACHE_HOME: home };
  const cache = path.join(home, 'jest');
  return jest(args, { ...env, ...own }, path.join(home, 'report.json'), { as, cache });
}

/** The runtimes of the tests, of which each that can't be had counts as skipped. */
async function installRuntimes() {
  const { canInstall, ensureProgram } = require('../harness/apt');
  const { findProgram } = require('../harness/command');
  // Not every distribution has all of them.
  const install = (name) => ensureProgram(name, [name]).catch(() => undefined);
  if (canInstall()) await Promise.all(RUNTIMES.map(install));
  const there = RUNTIMES.filter((name) => findProgram(name));
  const missing = RUNTIMES.filter((name) => !there.includes(name));
  const note = missing.length > 0 ? `left out: ${missing.join(', ')}` : there.join(', ');
  return { value: there, skipped: missing.length, note };
}

/** Two registries, and in each an image that the engine has to pull layer by layer. */
async function startRegistries(engine) {
  const { buildLayered } = require('./layered-image');
  const { Registry } = require('../harness/registry');
  const open = await Registry.start();
  const credentials = { username: 'tester', password: randomUUID() };
  const locked = await Registry.start(credentials);
  const layered = { name: 'layered:latest', base: 'python:3.9-slim', layers: 4, bytes: 8 << 20 };
  const secret = { name: 'secret:latest', base: 'busybox:stable', layers: 2, bytes: 4 << 20 };
  const docker = require('../harness/engine').connect(engine);
  for (const [registry, image] of [
    [open, layered],
    [locked, secret],
  ]) {
    await buildLayered(engine, image);
    await registry.push(engine, image.name);
    await docker.getImage(image.name).remove();
  }
  await open.push(engine, 'busybox:stable');
  return {
    note: `${open.address}, ${locked.address}`,
    value: {
      SCIENTIST_POOL_TEST_REGISTRY: open.address,
      SCIENTIST_POOL_TEST_PULL: `${open.address}/layered:latest`,
      SCIENTIST_POOL_TEST_PRIVATE_REGISTRY: locked.address,
      SCIENTIST_POOL_TEST_PRIVATE_REGISTRY_USER: credentials.username,
      SCIENTIST_POOL_TEST_PRIVATE_REGISTRY_PASSWORD: credentials.password,
    },
  };
}

async function main() {
  const id = randomUUID();
  // The tests' own temporary folder: what is in it afterwards was forgotten by one of them.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-test-'));
  const reports = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-report-'));
  // Some tests run programs as an ordinary user, and one looks for what others have left lying about in it.
  fs.chmodSync(folder, 0o755);
  for (const temporary of [folder, reports]) {
    defer(() => fs.rmSync(temporary, { recursive: true, force: true }));
  }
  const base = { [MARK]: id, TMPDIR: folder };
  // Beside jest, which waits for engines: the compiler takes what is left of the processors.
  const aside = { cwd: paths.root, low: true };
  const cargo = (...args) => run('cargo', args, aside);
  const npm = (script) => run('npm', ['run', '--silent', script], aside);

  const steps = new Steps();
  steps.start('rustfmt', [], async () => void (await cargo('fmt', '--check')));
  const dependencies = steps.start('dependencies', [], installDependencies);
  const engine = steps.start('engine and images', [dependencies], startEngine);
  const registries = steps.start('registries', [engine], () => startRegistries(engine.value));
  const runtimes = steps.start('runtimes', [registries], installRuntimes);
  const addon = steps.start('addon', [dependencies], async () => {
    return { note: (await buildAddon()).built ? 'built' : 'up to date' };
  });
  await steps.settle();

  const environment = () => ({
    ...base,
    ...engine.value.env,
    SCIENTIST_POOL_TEST_ENGINE: engine.value.host,
  });
  say();
  const onDocker = (options, report) =>
    jest(
      [...given(), ...options],
      { ...environment(), ...registries.value },
      `${reports}/${report}.json`,
    );
  const most = steps.start('jest', [addon, engine, registries], () =>
    onDocker([SIDE_BY_SIDE, '--testPathIgnorePatterns', ALONE], 'docker'),
  );
  steps.start('jest, faults and abuse', [addon, engine, registries], async () => {
    await most.done;
    const roots = ['abuse', 'faults'].map((name) => `--roots=<rootDir>/__test__/${name}`);
    const options = ['--runInBand', ...roots, '--testPathIgnorePatterns', ABUSE_ON_LOCAL];
    return onDocker(options, 'docker-alone');
  });
  const clippy = steps.start('clippy', [], async () => {
    await cargo('clippy', '--locked', '--all-targets', '--all-features', '--', '-D', 'warnings');
  });
  const compiled = steps.start('tests in Rust, compiled', [], async () => {
    await clippy.done;
    await cargo('test', '--locked', '--all-features', '--workspace', '--no-run');
  });
  steps.start('cargo deny', [compiled], async () => {
    const { ensureCargoDeny } = require('./cargo-deny');
    const program = await ensureCargoDeny();
    if (!program) return { note: 'left out: cargo-deny is not installed', skipped: 1 };
    await run(program, ['--workspace', 'check', 'bans', 'licenses', 'sources'], aside);
    return {};
  });
  for (const script of ['lint', 'types', 'docs']) {
    steps.start(script, [dependencies], async () => void (await npm(script)));
  }
  await steps.settle();

  await steps.start('cargo test', [compiled], () => cargoTest(['--workspace'], base)).done;
  await steps.start('cargo test, on the engine', [engine, registries], () =>
    cargoTest(['--package', 'scientist-pool', '--tests', '--', '--ignored'], {
      ...environment(),
      ...registries.value,
    }),
  ).done;
  const hasLocal = process.platform === 'linux';
  const local = {
    ...base,
    ...registries.value,
    SCIENTIST_POOL_TEST_ENGINE: 'local',
    DOCKER_HOST: '',
  };
  if (hasLocal) {
    const contract = ['--package', 'scientist-pool', '--test', 'engine', '--', '--ignored'];
    await steps.start('cargo test, on the local engine', [], () => cargoTest(contract, local)).done;
    const onLocal = (name, options, report, env = local) =>
      steps.start(name, [addon], () =>
        jest([...given(), ...options], env, `${reports}/${report}.json`),
      ).done;
    await onLocal('jest, on the local engine', ON_LOCAL, 'local');
    await onLocal('jest, on the local engine, faults and abuse', ALONE_ON_LOCAL, 'local-alone');
    if (process.getuid() === 0) {
      const ordinary = steps.start('jest, on the local engine, as nobody', [addon], () =>
        jestAsNobody([...given(), ...AS_NOBODY], local, reports),
      );
      await ordinary.done;
    }
    if (runtimes.value?.length > 0) {
      const on = ['--package', 'scientist-pool-launcher', '--test', 'runtimes', '--', '--ignored'];
      await steps.start('cargo test, under runtimes', [], () => cargoTest(on, base)).done;
    }
    if (runtimes.value?.includes('runsc')) {
      const under = { ...local, SCIENTIST_POOL_TEST_RUNTIME: 'runsc' };
      await onLocal('jest, under runsc', UNDER_RUNTIME, 'runsc', under);
    }
  }
  const owned = { mark: [MARK, id], folder };
  await steps.start('nothing left behind', [], () => stopEngine(engine.value, owned)).done;

  return steps.conclude();
}

runMain(main);
