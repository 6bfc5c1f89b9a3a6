'use strict';

// `npm run demo`: sets up what is missing, then runs tool calls as an agent backend makes them, on
// this package and, where there is Docker, on a plain dockerode pool. Only built-in modules until the
// dependencies are installed.
//
//     npm run demo -- --engine docker     installs Docker where it is missing
//     npm run demo -- --engine local      on this machine's own kernel, even where there is Docker

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');

const { buildAddon } = require('../harness/addon');
const { canInstall } = require('../harness/apt');
const { SetupError, defer, runMain } = require('../harness/cleanup');
const { Bars, isTTY, say, seconds } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');
const { root } = require('../harness/paths');
const { until } = require('../harness/until');

const IMAGE = 'python:3.9-slim';
const LABEL = 'demo.scientist-pool';
const POOL_SIZE = 2;

async function step(name, work) {
  const begin = performance.now();
  const value = await work();
  say(`+ ${name}: ${seconds(performance.now() - begin)}`);
  return value;
}

/** The engine that was asked for. When none was: Docker where it answers, else the local one. */
async function getEngine(wanted) {
  if (wanted === 'local') return getLocal();
  const { findEngine, installHint } = require('../harness/engine');
  const found = await findEngine();
  if (found) {
    say(`engine: ${found.host}`);
    return found;
  }
  if (wanted !== 'docker') return getLocal();
  if (!canInstall()) throw new SetupError('No container engine answers here.', installHint());
  const { OwnEngine } = require('../harness/own-engine');
  return OwnEngine.start();
}

/** This machine's own kernel, tried out. */
async function getLocal() {
  const { ContainerPoolManager } = require(root);
  const pool = new ContainerPoolManager({ engine: 'local', image: 'host', poolSize: 0 });
  try {
    await pool.initialize();
  } catch (error) {
    throw new SetupError(error.message, 'With Docker: npm run demo -- --engine docker');
  } finally {
    await pool.shutdown({ grace: 0 });
  }
  say("engine: this machine's own kernel, without Docker; nothing is installed for it");
  return new LocalEngine();
}

/** Whether the first `python3` that a container of `host` looks up is one that it sees. */
function hasPython() {
  const found = ['/usr/local/bin/python3', '/usr/bin/python3'].find((file) => fs.existsSync(file));
  return found !== undefined && fs.realpathSync(found).startsWith('/usr/');
}

/** Shows itself as an engine of Docker's does, as far as the demo looks. */
class LocalEngine {
  env = { CONTAINER_ENGINE: 'local', DOCKER_HOST: '' };
  /** The Python of this machine, where it is in what containers see of it. */
  image = hasPython() ? 'host' : IMAGE;

  /** What of it has outlived its pools. */
  strangers() {
    const { processes } = require('../harness/processes');
    return processes().filter(
      ({ parent, command }) => parent === process.pid && command.includes('scientist-pool-'),
    );
  }
}

/** What is left when what is on its way out has gone. */
async function settled(left) {
  await until(() => left().length === 0, 5000).catch(() => {});
  return left();
}

/** Both kinds of pool show their ready containers as `pool`, and how many there should be as `poolSize`. */
const untilFull = (pool, onProgress = () => {}) =>
  until(() => {
    onProgress(pool.pool.length / pool.poolSize);
    return pool.pool.length >= pool.poolSize;
  }, 30_000);

async function warm(name, pool) {
  const bars = new Bars();
  try {
    const bar = bars.add(`warming ${name}`);
    await Promise.all([pool.initialize(), untilFull(pool, (fraction) => bar.update(fraction))]);
  } finally {
    bars.stop();
  }
}

/** One tool call from a full pool: a container for it alone, run, destroyed. */
async function measure(pool, call) {
  await untilFull(pool);
  const begin = performance.now();
  const container = await pool.acquire();
  const acquired = performance.now();
  try {
    const running = container.execute(call.script, call.env, [], { timeout: call.timeout });
    // The dockerode pool has no timeout: a call that hangs is given up, and ends with its container.
    running.catch(() => {});
    const givenUp = sleep(2 * call.timeout, { reason: 'given up' }, { ref: false });
    const result = await Promise.race([running, givenUp]);
    return { ...result, acquireMs: acquired - begin, executeMs: performance.now() - acquired };
  } finally {
    await container.destroy();
  }
}

/** The answer of a call, short enough for a table. */
function answerOf({ stdout }) {
  const { success, result, error } = stdout ? JSON.parse(stdout) : {};
  const text = success ? JSON.stringify(result) : (error ?? '');
  return text.length > 32 ? `${text.slice(0, 31)}…` : text;
}

/** Whether a call ended as it must. */
const isExpected = (call, { reason, exitCode, stdout }) =>
  reason === call.reason &&
  exitCode === call.exitCode &&
  (call.success === undefined || JSON.parse(stdout).success === call.success);

const ms = (value) => value.toFixed(1);

function printTable(rows) {
  const Table = require('cli-table3');
  const theirHead = rows[0].theirs ? ['dockerode\nms', 'times\nfaster'] : [];
  const table = new Table({
    head: ['tool', 'exit', 'reason', 'answer', 'execute\nms', ...theirHead],
    style: isTTY ? {} : { head: [], border: [] },
    // No line between the rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    colAligns: ['left', 'right', 'left', 'left', 'right', 'right', 'right'],
  });
  for (const { call, ours, theirs } of rows) {
    table.push([
      ...[call.tool, ours.exitCode, ours.reason, answerOf(ours), ms(ours.executeMs)],
      ...(theirs ? compared(ours, theirs) : []),
    ]);
  }
  say(table.toString());
}

function compared(ours, theirs) {
  if (theirs.reason === 'given up') return ['given up', ''];
  return [ms(theirs.executeMs), ms(theirs.executeMs / ours.executeMs)];
}

/** What the calls took that end by themselves, at the median. */
function printMedians(rows) {
  const { median } = require('simple-statistics');
  const ordinary = rows.filter(({ call }) => call.reason === 'exit');
  const of = (side) => median(ordinary.map((row) => row[side].executeMs));
  const against = rows[0].theirs
    ? ` against ${ms(of('theirs'))} ms, ${ms(of('theirs') / of('ours'))} times faster`
    : '';
  say(
    `execute, median of the ${ordinary.length} calls that end by themselves: ` +
      `${ms(of('ours'))} ms${against}`,
  );
}

/** A dockerode pool to compare with, and what the engine lists of both. */
function beside(engine, options) {
  if (engine instanceof LocalEngine) return { baseline: null, listed: async () => [] };
  const { DockerodePool } = require('../harness/dockerode-pool');
  const docker = require('../harness/engine').connect(engine);
  const label = Object.entries(options.labels)[0].join('=');
  return {
    baseline: new DockerodePool({ ...options, docker }),
    listed: () => docker.listContainers({ all: true, filters: { label: [label] } }),
  };
}

async function main() {
  const { values } = parseArgs({ options: { engine: { type: 'string' } } });
  if (![undefined, 'docker', 'local'].includes(values.engine)) {
    throw new SetupError(`There is no engine '${values.engine}'.`, '--engine docker, or local');
  }
  await step('dependencies', installDependencies);
  await step('addon (the first build takes minutes)', () => buildAddon({ show: isTTY }));
  const engine = await step('engine', () => getEngine(values.engine));
  const image = engine.image ?? IMAGE;
  if (!(engine instanceof LocalEngine)) {
    const { ensureImages } = require('../harness/images');
    await step(`image ${image}`, () => ensureImages(engine, [image]));
  }

  // Both clients find the engine as any program would.
  Object.assign(process.env, engine.env);
  const ContainerPoolManager = require(root);
  const { calls } = require('./demo/calls');

  const options = { poolSize: POOL_SIZE, image, labels: { [LABEL]: randomUUID() } };
  const pool = new ContainerPoolManager(options);
  const { baseline, listed } = beside(engine, options);
  const close = defer(async () => {
    if (baseline) await until(() => baseline.refills === 0, 30_000);
    await Promise.all([pool.shutdown(), baseline?.shutdown()]);
  });

  await step(`pool of ${POOL_SIZE}`, () => warm('scientist-pool', pool));
  if (baseline) await step(`dockerode pool of ${POOL_SIZE}`, () => warm('dockerode', baseline));

  say(`\n${calls.length} tool calls, each in a container of its own, from full pools:\n`);
  const rows = [];
  for (const call of calls) {
    if (baseline) await untilFull(baseline);
    const ours = await measure(pool, call);
    await untilFull(pool);
    rows.push({ call, ours, theirs: baseline && (await measure(baseline, call)) });
  }
  printTable(rows);

  printMedians(rows);

  await close();
  const left = await listed();
  const strangers = await settled(() => engine.strangers?.() ?? []);
  say(`left behind: ${left.length} containers, ${strangers.length} processes beside the engine`);
  await engine.stop?.();

  const wrong = rows.filter((row) => !isExpected(row.call, row.ours));
  for (const { call, ours: result } of wrong) {
    const { reason, exitCode, stdout } = result;
    say(`not as expected: ${call.tool}: ${reason}, exit code ${exitCode}, ${stdout}`);
  }
  return wrong.length + left.length + strangers.length > 0 ? 1 : 0;
}

runMain(main);
