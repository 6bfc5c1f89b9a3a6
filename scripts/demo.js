'use strict';

// `npm run demo`: sets up what is missing, then runs tool calls as an agent backend makes them, on
// this package and on a plain dockerode pool. Only built-in modules until the dependencies are
// installed.

const { randomUUID } = require('node:crypto');

const { buildAddon } = require('../harness/addon');
const { canInstall } = require('../harness/apt');
const { SetupError, defer, runMain } = require('../harness/cleanup');
const { Bars, isTTY, say, seconds } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');
const paths = require('../harness/paths');

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
    say(`engine: ${found.host} (${found.source})`);
    return found;
  }
  if (!canInstall()) throw new SetupError('No container engine answers here.', installHint());
  const { OwnEngine } = require('../harness/own-engine');
  return OwnEngine.start();
}

async function warm(name, pool) {
  const { untilFull } = require('./demo/measure');
  const bars = new Bars();
  try {
    const bar = bars.add(`warming ${name}`);
    await Promise.all([pool.initialize(), untilFull(pool, (fraction) => bar.update(fraction))]);
  } finally {
    bars.stop();
  }
}

/** The answer of a call, short enough for a table. */
function answerOf({ stdout, stderr }) {
  let text = stdout;
  try {
    const { success, result, error } = JSON.parse(stdout);
    text = success ? JSON.stringify(result) : error;
  } catch {
    // It did not get to answer.
  }
  const note = stderr ? ` + ${Buffer.byteLength(stderr)} bytes on stderr` : '';
  return (text.length > 32 ? `${text.slice(0, 31)}…` : text) + note;
}

/** What differs from what the call must end with; an empty list if nothing does. */
function deviations(call, ours) {
  const found = [];
  for (const key of ['reason', 'exitCode']) {
    if (ours[key] !== call[key]) found.push(`${key} ${ours[key]} instead of ${call[key]}`);
  }
  if (call.success !== undefined) {
    const success = ours.stdout ? JSON.parse(ours.stdout).success : null;
    if (success !== call.success) found.push(`success ${success} instead of ${call.success}`);
  }
  return found.map((deviation) => `${call.tool}: ${deviation}`);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const ms = (value) => value.toFixed(1);

function printTable(rows) {
  const Table = require('cli-table3');
  const table = new Table({
    head: [
      ...['tool', 'acquire\nms', 'execute\nms', 'exit', 'reason', 'answer'],
      ...['dockerode\nacquire', '\nexecute', '\nexit', 'times\nfaster'],
    ],
    style: isTTY ? {} : { head: [], border: [] },
    // No line between the rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    colAligns: [
      ...['left', 'right', 'right', 'right', 'left', 'left'],
      ...['right', 'right', 'right', 'right'],
    ],
  });
  for (const { call, ours, theirs } of rows) {
    table.push([
      ...[call.tool, ms(ours.acquire), ms(ours.execute), ours.exitCode, ours.reason],
      ...[answerOf(ours), ms(theirs.acquire), ms(theirs.execute)],
      theirs.exitCode ?? theirs.reason,
      theirs.exitCode === null ? '' : ms(theirs.execute / ours.execute),
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
  const ContainerPoolManager = require(paths.root);
  const { DockerodePool } = require('../harness/dockerode-pool');
  const { connect } = require('../harness/engine');
  const { calls } = require('./demo/calls');
  const { measure, untilFull } = require('./demo/measure');

  const id = randomUUID();
  const docker = connect(engine);
  const optionsOf = (kind) => ({
    poolSize: POOL_SIZE,
    image: IMAGE,
    labels: { [LABEL]: `${id}-${kind}` },
  });
  const pool = new ContainerPoolManager(optionsOf('ours'));
  const closePool = defer(() => pool.shutdown());
  const baseline = new DockerodePool({ ...optionsOf('dockerode'), docker });
  const closeBaseline = defer(async () => {
    await baseline.shutdown();
    // It has no idea of what it is still creating.
    for (const { Id } of await labelled('dockerode')) {
      await docker.getContainer(Id).remove({ force: true });
    }
  });

  await step(`pool of ${POOL_SIZE}`, () => warm('scientist-pool', pool));
  await step(`dockerode pool of ${POOL_SIZE}`, () => warm('dockerode', baseline));

  say(`\n${calls.length} tool calls, each in a container of its own, from full pools:\n`);
  const rows = [];
  for (const call of calls) {
    await untilFull(pool);
    await untilFull(baseline);
    const ours = await measure(pool, call, { bounded: true });
    await untilFull(pool);
    const theirs = await measure(baseline, call, { bounded: false });
    rows.push({ call, ours, theirs });
  }
  printTable(rows);

  const ordinary = rows.filter(({ call }) => call.reason === 'exit');
  const [ours, theirs] = ['ours', 'theirs'].map((side) =>
    median(ordinary.map((row) => row[side].execute)),
  );
  say(
    `execute, median of the ${ordinary.length} calls that end by themselves: ` +
      `${ms(ours)} ms against ${ms(theirs)} ms, ${ms(theirs / ours)} times faster`,
  );

  await closePool();
  await untilFull(baseline);
  await closeBaseline();
  const left = [...(await labelled('ours')), ...(await labelled('dockerode'))];
  const strangers = engine.strangers?.() ?? [];
  say(
    `left behind: ${left.length} containers` +
      (engine.strangers ? `, ${strangers.length} processes beside the engine` : ''),
  );
  if (engine.stop) {
    await engine.stop();
    say('dockerd stopped');
  }

  const wrong = rows.flatMap(({ call, ours: result }) => deviations(call, result));
  for (const line of wrong) say(`not as expected: ${line}`);
  return wrong.length + left.length + strangers.length > 0 ? 1 : 0;

  function labelled(kind) {
    return docker.listContainers({ all: true, filters: { label: [`${LABEL}=${id}-${kind}`] } });
  }
}

runMain(main);
