'use strict';

// `npm run test:platforms`: the addon built on Linux x64 for other platforms, and tried in what stands in for them: a
// root file system with musl, one for arm64 under qemu, Wine. `-- musl arm64` names those to take. A table at the end
// has what came of each. Takes root and apt.

const fs = require('node:fs');
const path = require('node:path');

const { ensureProgram } = require('../harness/apt');
const { runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { say, seconds } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');
const paths = require('../harness/paths');
const { startEngine } = require('./jest');
const { canEmulate, ensureArm64, ensureMusl, inRoot } = require('./platforms/roots');
const { buildAddon, buildPrograms, ensureTarget, withZig } = require('./platforms/tools');
const { Windows } = require('./platforms/windows');
const { Steps } = require('./steps');

const IMAGE = 'python:3.9-slim';
const PROGRAM = '__test__/runtimes/calls.js';

/** What takes no engine, and no engine on Kubernetes, which these binaries are without. */
const WITHOUT_ENGINE = '__test__/(agents|api|cli|fake|runtimes|seeing|testing)/';
/** Of that, what an emulated processor is fast enough for: others hold figures, or deadlines of a machine's. */
const EMULATED = [
  '__test__/testing/(faults|files|leaks|packages|realms|sessions|spawn)\\.test\\.js$',
  '__test__/fake/(same-tick|service|stalled-source)\\.test\\.js$',
];
/** It finds a process by its name, and under qemu all have qemu's. */
const NOT_EMULATED = ['--skip', 'a_helper_that_is_killed'];

/** The libraries of macOS that its linker would need are Apple's, and in no package. */
const CHECKED = ['x86_64-apple-darwin', 'aarch64-apple-darwin'];

/** What is counted in an output, by what wrote it: jest, the plain program, or tests in Rust. */
const COUNTS = {
  jest: /^Tests: +(?:(?<failed>\d+) failed, )?(?:\d+ skipped, )?(?<passed>\d+) passed/gm,
  calls: /^(?<passed>\d+) passed, (?<failed>\d+) failed\r?$/gm,
  rust: /^test result: \w+\. (?<passed>\d+) passed; (?<failed>\d+) failed;/gm,
};

/** The counts of a run that has ended; rejects if it failed, or counted none. */
function counted(kind, { code, output }) {
  const counts = { passed: 0, failed: 0 };
  for (const { groups } of output.matchAll(COUNTS[kind])) {
    counts.passed += Number(groups.passed);
    counts.failed += Number(groups.failed ?? 0);
  }
  if (code === 0 && counts.passed > 0) return counts;
  const end = output.split('\n').slice(-80).join('\n');
  throw Object.assign(new Error(`it ended with code ${code}\n${end}`), { hint: '', ...counts });
}

/** Runs a command to its end, and counts. */
async function tried(kind, [command, ...args]) {
  return counted(kind, await run(command, args, { check: false, low: true }));
}

const jest = (...patterns) => [
  ...['node', 'node_modules/jest/bin/jest.js', '--ci', '--cacheDirectory=/tmp/jest'],
  ...['--testPathPatterns', ...patterns],
];

async function main() {
  const named = process.argv.slice(2);
  const isMeant = (name) => named.length === 0 || named.includes(name);
  const steps = new Steps();
  const rows = [];
  const add = async (platform, name, needs, work) => {
    const step = steps.start(`${platform}: ${name}`, needs, work);
    rows.push([platform, name, step]);
    await step.done;
    return step;
  };
  const dependencies = steps.start('dependencies', [], installDependencies);
  const engine = steps.start('engine and images', [dependencies], startEngine);
  await engine.done;
  const { localImage } = require('../harness/archives');

  if (isMeant('musl')) {
    const name = 'Linux x64, musl';
    const built = await add(name, 'the addon and the programs', [dependencies], async () => {
      const folder = await buildAddon('x86_64-unknown-linux-musl', ['--cross-compile']);
      await buildPrograms('x86_64-unknown-linux-musl', folder);
      return { value: folder };
    });
    const root = await add(name, 'a root file system', [dependencies], async () => ({
      value: await ensureMusl(),
    }));
    const there = (words) => [...inRoot(root.value, built.value), ...words];
    const needs = [built, root];
    await add(name, 'jest, without an engine', needs, () =>
      tried('jest', there(jest(WITHOUT_ENGINE))),
    );
    await add(name, 'calls on Docker', [...needs, engine], () =>
      tried('calls', there(['node', PROGRAM, engine.value.host, IMAGE])),
    );
    await add(name, 'calls on the local engine', [...needs, engine], () =>
      tried('calls', there(['node', PROGRAM, 'local', seenInside(localImage(IMAGE))])),
    );
  }

  if (isMeant('arm64')) {
    const name = 'Linux arm64, glibc';
    const target = 'aarch64-unknown-linux-gnu';
    const emulator = await add(name, 'qemu', [dependencies], async () => {
      if (!canEmulate())
        throw Object.assign(new Error('binfmt_misc takes Linux 6.7'), { hint: ' ' });
      return { value: await ensureProgram('qemu-aarch64-static', ['qemu-user-static']) };
    });
    const built = await add(name, 'the addon', [emulator], async () => {
      return { value: await buildAddon(`${target}.2.17`, ['--cross-compile']) };
    });
    const tests = await add(name, 'the Rust tests, compiled', [emulator], async () => {
      return { value: await buildTests(target, built.value) };
    });
    const root = await add(name, 'a root file system', [emulator], async () => ({
      value: await ensureArm64(),
    }));
    const there = (words) => [...inRoot(root.value, built.value, emulator.value), ...words];
    for (const test of tests.value ?? []) {
      await add(name, `Rust: ${test}`, [root, tests], () =>
        tried('rust', there([`/package/${test}`, '--test-threads=2', ...NOT_EMULATED])),
      );
    }
    await add(name, 'jest, on the fake engine', [built, root], () =>
      tried('jest', there([...jest(...EMULATED), '--runInBand', '--testTimeout=300000'])),
    );
    await add(name, 'calls on Docker', [built, root, engine], () =>
      tried('calls', there(['node', PROGRAM, engine.value.host, IMAGE])),
    );
  }

  if (isMeant('windows')) {
    const name = 'Windows x64, under Wine';
    const built = await add(name, 'the addon, by MinGW', [dependencies], () => Windows.build());
    const windows = await add(name, 'Wine and Node.js', [built], () => Windows.start(built.value));
    await add(name, 'calls on the fake engine', [windows], async () =>
      counted('calls', await windows.value.run(PROGRAM, ['fake'])),
    );
    await add(name, 'calls on Docker, over TCP', [windows, engine], async () => {
      const tcp = await Windows.listen(engine.value.host);
      return counted('calls', await windows.value.run(PROGRAM, [tcp, IMAGE]));
    });
  }

  if (isMeant('macos')) {
    for (const target of CHECKED) {
      await add(target, 'cargo check', [dependencies], async () => {
        await ensureTarget(target);
        const options = ['--locked', '--package', 'scientist-pool', '--no-default-features'];
        await withZig('cargo-zigbuild', ['check', ...options, '--target', target]);
        return { note: 'checked' };
      });
    }
  }
  await engine.value?.stop?.();

  const Table = require('cli-table3');
  const table = new Table({ head: ['platform', 'what', 'came to', 'in'], style: { head: [] } });
  for (const [platform, name, { state, note = state, ms, passed, failed }] of rows) {
    const came = passed + failed > 0 ? `${passed} passed, ${failed} failed` : note;
    table.push([platform, name, state === 'passed' ? came : `${state}: ${came}`, seconds(ms)]);
  }
  say(`\n${table}`);
  return steps.conclude();
}

/** An archive of the cache, as a root file system has it. */
const seenInside = (image) => image.replace(paths.cache, '/root/.cache/scientist-pool');

/** Compiles the Rust tests that need no engine, and puts them beside the addon; gives their names. */
async function buildTests(target, folder) {
  const what = ['--package', 'scientist-pool', '--package', 'scientist-pool-seccomp'];
  const kinds = ['--lib', '--test', 'supervisor'];
  const { output } = await withZig(
    'cargo-zigbuild',
    [
      ...['test', '--no-run', '--locked', '--no-default-features', '--target', `${target}.2.17`],
      ...['--message-format=json-render-diagnostics', ...what, ...kinds],
    ],
    { show: false },
  );
  const tests = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter(({ executable, profile }) => executable && profile.test);
  return tests.map(({ executable, target: { name } }) => {
    const file = `test-${name}`;
    fs.copyFileSync(executable, path.join(folder, file));
    return file;
  });
}

runMain(main);
