'use strict';

// `npm run abuse`: what hostile scripts try, as a table. On Docker: in a container as a plain dockerode pool makes
// it, in one of this package's, and in one with every protection taken away. On the local engine (`--engine local`):
// in one of this package's, and in one without the fences that the table names. Ends with 1 if ours lets something
// through, or if a probe does not get through even without protection: it shows nothing.

const { parseArgs } = require('node:util');

const { buildAddon } = require('../../harness/addon');
const { defer, runMain } = require('../../harness/cleanup');
const { say } = require('../../harness/console');
const { installDependencies } = require('../../harness/dependencies');

const IMAGE = 'python:3.9-slim';
const SIDES = ['old', 'ours', 'weakened'];

/** An engine on this machine, which the probes look at from both sides: one of our own, unless named. */
async function getEngine() {
  const host = process.env.SCIENTIST_POOL_TEST_ENGINE;
  if (host) return { host, env: { DOCKER_HOST: host } };
  const { OwnEngine } = require('../../harness/own-engine');
  return OwnEngine.start();
}

async function main() {
  const { values } = parseArgs({ options: { engine: { type: 'string' } } });
  await installDependencies();
  await buildAddon();
  const local = [values.engine, process.env.SCIENTIST_POOL_TEST_ENGINE].includes('local');
  return local ? onLocal() : onDocker();
}

async function onDocker() {
  const engine = await getEngine();
  await require('../../harness/images').ensureImages(engine, [IMAGE]);
  const { Host } = require('./host');
  const { PROBES, isLacking, runProbes } = require('./probes');
  const { SCENARIOS, kit } = require('./scenarios');

  const docker = require('../../harness/engine').connect(engine);
  const context = { docker, engine: engine.host, image: IMAGE };
  const host = await Host.start(context);
  defer(() => host.close());
  const answers = {};
  for (const side of SIDES) {
    answers[side] = await runProbes(host.containers[side], host.env);
    for (const { name, run } of SCENARIOS) {
      answers[side][name] = await run(side, kit(context)).catch((error) => ({
        verdict: 'error',
        said: error.message,
      }));
    }
  }
  const rows = [...PROBES, ...SCENARIOS].map((probe) => ({
    ...probe,
    lacking: isLacking(probe),
    answers: SIDES.map((side) => answers[side][probe.name]),
  }));
  print(['a dockerode pool', 'ours', 'unprotected'], rows);
  return summary(rows, SIDES);
}

async function onLocal() {
  const { LocalOutside } = require('../support/engines/local');
  const { FENCES } = require('./fences');
  const { LocalSuite } = require('./local');
  const { ALL, isLacking } = require('./probes');
  const { SCENARIOS, localKit } = require('./scenarios');

  const image = new LocalOutside().image(IMAGE);
  const suite = await LocalSuite.start(image);
  defer(() => suite.close());
  const [ours, host] = [await suite.ours(), await suite.host()];
  // Those of this machine's own files have no other image to run on.
  const answers = { ours: { ...host, ...ours }, weakened: await suite.down() };
  const scenarios = SCENARIOS.filter(({ onDockerAlone }) => !onDockerAlone);
  for (const { name, run } of scenarios) {
    for (const side of Object.keys(answers)) {
      answers[side][name] = await run(side, localKit({ image }));
    }
  }
  const rows = [...ALL, ...scenarios].map((probe) => ({
    ...probe,
    lacking: isLacking(probe),
    fences: FENCES[probe.name]?.join(' + ') ?? "the caller's",
    answers: Object.values(answers).map((side) => side[probe.name]),
  }));
  print(['ours', 'without'], rows, ({ fences }) => [fences]);
  return summary(rows, Object.keys(answers));
}

const WORDS = { held: 'stopped', broken: 'GOT THROUGH', absent: 'not there', error: 'ERROR' };

/** `more`: what else a row has, in columns that are called fences. */
function print(sides, rows, more = () => []) {
  const Table = require('cli-table3');
  const named = more(rows[0]).map(() => 'fences');
  const table = new Table({ head: ['probe', 'tries', ...named, ...sides] });
  for (const row of rows) {
    const words = row.answers.map(({ verdict }) => WORDS[verdict]);
    table.push([row.name, short(row.tries, 48), ...more(row), ...words]);
  }
  say(table.toString());
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function summary(rows, sides) {
  const at = (side) => rows.map(({ answers }) => answers[sides.indexOf(side)].verdict);
  const count = (verdicts, verdict) => verdicts.filter((other) => other === verdict).length;
  const lacking = rows.filter((row) => row.lacking).map(({ name }) => name);
  for (const side of sides) {
    say(`${side}: ${count(at(side), 'broken')} of ${rows.length} got through`);
  }
  if (lacking.length > 0) say(`can't get through on this kernel at all: ${lacking.join(', ')}`);
  const faults = rows.flatMap(({ name, lacking: absent, answers }) => {
    const [ours, weakened] = answers.slice(-2);
    return [
      ...(/^(held|absent)$/.test(ours.verdict) ? [] : [`${name}, ours: ${ours.said}`]),
      ...(weakened.verdict === 'broken' || absent
        ? []
        : [`${name}, stopped without protection: ${weakened.said}`]),
    ];
  });
  for (const fault of faults) say(`! ${fault}`);
  return faults.length > 0 ? 1 : 0;
}

runMain(main);
