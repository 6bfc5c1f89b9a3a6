'use strict';

// `npm run demo`: sets up what is missing, then runs tool calls as an agent backend makes them, on
// this package and on a plain dockerode pool. Only built-in modules until the dependencies are
// installed.

const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');

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

/** An engine that answers, else one of our own where we may install and start it. */
async function getEngine() {
  const { findEngine, installHint } = require('../harness/engine');
  const found = await findEngine();
  if (found) {
    say(`engine: ${found.host}`);
    return found;
  }
  if (!canInstall()) throw new SetupError('No container engine answers here.', installHint());
  const { OwnEngine } = require('../harness/own-engine');
  return OwnEngine.start();
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
  const table = new Table({
    head: ['tool', 'exit', 'reason', 'answer', 'execute\nms', 'dockerode\nms', 'times\nfaster'],
    style: isTTY ? {} : { head: [], border: [] },
    // No line between the rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    colAligns: ['left', 'right', 'left', 'left', 'right', 'right', 'right'],
  });
  for (const { call, ours, theirs } of rows) {
    const ended = theirs.reason !== 'given up';
    table.push([
      ...[call.tool, ours.exitCode, ours.reason, answerOf(ours), ms(ours.executeMs)],
      ...[ended ? ms(theirs.executeMs) : 'given up'],
      ...[ended ? ms(theirs.executeMs / ours.executeMs) : ''],
    ]);
  }
  say(table.toString());
}

async function main() {
  await step('dependencies', installDependencies);
  await step('addon (the first build takes minutes)', () => buildAddon({ show: isTTY }));
  const engine = await step('engine', getEngine);
  const { ensureImages } = require('../harness/images');
  await step(`image ${IMAGE}`, () => ensureImages(engine, [IMAGE]));

  // Both clients find the engine as any program would.
  Object.assign(process.env, engine.env);
  const { median } = require('simple-statistics');
  const ContainerPoolManager = require(root);
  const { DockerodePool } = require('../harness/dockerode-pool');
  const { calls } = require('./demo/calls');

  const label = randomUUID();
  const docker = require('../harness/engine').connect(engine);
  const options = { poolSize: POOL_SIZE, image: IMAGE, labels: { [LABEL]: label } };
  const listed = () =>
    docker.listContainers({ all: true, filters: { label: [`${LABEL}=${label}`] } });
  const pool = new ContainerPoolManager(options);
  const baseline = new DockerodePool({ ...options, docker });
  const close = defer(async () => {
    await until(() => baseline.refills === 0, 30_000);
    await Promise.all([pool.shutdown(), baseline.shutdown()]);
  });

  await step(`pool of ${POOL_SIZE}`, () => warm('scientist-pool', pool));
  await step(`dockerode pool of ${POOL_SIZE}`, () => warm('dockerode', baseline));

  say(`\n${calls.length} tool calls, each in a container of its own, from full pools:\n`);
  const rows = [];
  for (const call of calls) {
    await untilFull(baseline);
    const ours = await measure(pool, call);
    await untilFull(pool);
    rows.push({ call, ours, theirs: await measure(baseline, call) });
  }
  printTable(rows);

  const ordinary = rows.filter(({ call }) => call.reason === 'exit');
  const [ours, theirs] = ['ours', 'theirs'].map((side) =>
    median(ordinary.map((row) => row[side].executeMs)),
  );
  say(
    `execute, median of the ${ordinary.length} calls that end by themselves: ` +
      `${ms(ours)} ms against ${ms(theirs)} ms, ${ms(theirs / ours)} times faster`,
  );

  await close();
  const left = await listed();
  const strangers = engine.strangers?.() ?? [];
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
