'use strict';

// `npm run test:nodes`: the tests in which runtimes of JavaScript can differ, on each of them: jest on Node.js, and a
// plain program on Bun and Deno. `-- 22 bun` names those to take. A table at the end has what passed on which.

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { buildAddon } = require('../harness/addon');
const { defer, runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { say, seconds } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');
const paths = require('../harness/paths');
const { MARK, jest, startEngine, stopEngine } = require('./jest');
const { ensureRuntime } = require('./runtimes');
const { Steps } = require('./steps');

const NODES = ['20', '22', '24', '26'];
const OTHERS = ['bun', 'deno'];

const WITHOUT_ENGINE = [
  '__test__/(agents|api|cli|fake|kubernetes|runtimes|seeing|testing)/',
  '__test__/package/unloadable\\.test\\.js$',
];
/** Streams, signals, callbacks, threads, and the ends of processes: the rest is no matter of Node's. */
const ON_ENGINE = [
  '__test__/engine/(clients|display|execute|files|service|session|sharing|spawn)\\.test\\.js$',
  '__test__/faults/(process-ends|process-killed|two-processes|workers)\\.test\\.js$',
];
/** A fault of the engine itself is no matter of the local one. */
const ON_DOCKER = [
  ...ON_ENGINE,
  '__test__/faults/(cancelled-acquire|container-dies|shutdown|streams|threads)\\.test\\.js$',
];

/** Pulling takes registries, which `npm test` starts. */
const NO_PULL = ['--testNamePattern', '^(?!.*should pull image)'];

const IMAGE = 'python:3.9-slim';
const PROGRAM = '__test__/runtimes/calls.js';

/** How long the plain program may take: it is to end by itself. */
const PATIENCE_S = 180;

/** Runs the plain program to its end, which it says itself. */
async function calls({ file, args }, on, env) {
  const command = [String(PATIENCE_S), file, ...args, PROGRAM, ...on];
  const { code, output } = await run('timeout', command, { cwd: paths.root, env, check: false });
  const [, passed, failed] = (/^(\d+) passed, (\d+) failed$/m.exec(output) ?? [0, 0, 1]).map(
    Number,
  );
  if (code === 0 && failed === 0) return { passed, failed };
  const error = new Error(`${PROGRAM} ended with code ${code}\n${output}`);
  throw Object.assign(error, { hint: '', passed, failed: Math.max(1, failed) });
}

/** What came of a step, as the table has it. */
function cell(step) {
  if (!step) return '';
  const { state, passed, failed, skipped, ms } = step;
  if (state === 'not run') return 'not run';
  const counts = [
    `${passed} passed`,
    failed && `${failed} failed`,
    skipped && `${skipped} skipped`,
  ];
  return `${counts.filter(Boolean).join(', ')} in ${seconds(ms)}`;
}

async function main() {
  const named = process.argv.slice(2);
  const isMeant = (name) => named.length === 0 || named.includes(name);
  const id = randomUUID();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-nodes-'));
  fs.chmodSync(folder, 0o755);
  const reports = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-report-'));
  fs.chmodSync(reports, 0o711);
  for (const temporary of [folder, reports]) {
    defer(() => fs.rmSync(temporary, { recursive: true, force: true }));
  }

  const steps = new Steps();
  const dependencies = steps.start('dependencies', [], installDependencies);
  const addon = steps.start('addon', [dependencies], () => buildAddon({ show: true }));
  const engine = steps.start('engine and images', [addon], startEngine);
  await engine.done;
  const { localImage } = require('../harness/archives');

  const base = { [MARK]: id, TMPDIR: folder };
  const docker = {
    ...base,
    ...engine.value?.env,
    SCIENTIST_POOL_TEST_ENGINE: engine.value?.host,
  };
  const local = { ...base, SCIENTIST_POOL_TEST_ENGINE: 'local', DOCKER_HOST: '' };
  const rows = [];
  for (const name of NODES.filter(isMeant)) {
    const title = `Node.js ${name}`;
    const got = steps.start(title, [addon], async () => {
      const { value, note } = await versionOf(await ensureRuntime(name));
      // Where any user can run it: the cache is its owner's alone.
      const node = path.join(reports, name, 'node');
      fs.mkdirSync(path.dirname(node));
      fs.copyFileSync(value.file, node);
      return { value: node, note };
    });
    await got.done;
    const on = async (what, needs, suites, env, report) => {
      const node = got.value;
      // What a test starts by the name `node` is the same.
      const PATH = node && [path.dirname(node), process.env.PATH].join(path.delimiter);
      const options = [...NO_PULL, '--testPathPatterns', ...suites];
      const step = steps.start(`${title}, ${what}`, [got, ...needs], () =>
        jest(options, { ...env, PATH }, path.join(reports, `${name}-${report}.json`), { node }),
      );
      await step.done;
      return step;
    };
    rows.push([
      got.note ?? title,
      await on('without an engine', [], WITHOUT_ENGINE, base, 'none'),
      await on('on Docker', [engine], ON_DOCKER, docker, 'docker'),
      await on('on the local engine', [engine], ON_ENGINE, local, 'local'),
    ]);
  }
  for (const name of OTHERS.filter(isMeant)) {
    const got = steps.start(name, [addon], async () => versionOf(await ensureRuntime(name)));
    await got.done;
    const on = async (what, needs, engineAndImage) => {
      const step = steps.start(`${name}, ${what}`, [got, ...needs], () =>
        calls(got.value, engineAndImage(), base),
      );
      await step.done;
      return step;
    };
    rows.push([
      got.note ?? name,
      await on('on the fake engine', [], () => ['fake']),
      await on('on Docker', [engine], () => [engine.value.host, IMAGE]),
      await on('on the local engine', [engine], () => ['local', localImage(IMAGE)]),
    ]);
  }
  const owned = { mark: [MARK, id], folder };
  await steps.start('nothing left behind', [], () => stopEngine(engine.value, owned)).done;

  const Table = require('cli-table3');
  const table = new Table({ head: ['', 'no engine', 'Docker', 'local'], style: { head: [] } });
  for (const [title, ...done] of rows) table.push([title, ...done.map(cell)]);
  say(`\n${table}`);
  return steps.conclude();
}

async function versionOf(runtime) {
  const { output } = await run(runtime.file, ['--version']);
  const version = /\d+\.\d+\.\d+/.exec(output)[0];
  const name = path.basename(runtime.file, '.exe');
  const title = { node: 'Node.js', bun: 'Bun', deno: 'Deno' }[name];
  return { value: runtime, note: `${title} ${version}` };
}

runMain(main);
