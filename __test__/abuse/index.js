'use strict';

// `npm run abuse`: what hostile scripts try, in a container as a plain dockerode pool makes it, in one of
// this package's, and in one with every protection taken away, as a table. Ends with 1 if ours lets
// something through, or if a probe does not get through even without protection: it shows nothing.

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
  await installDependencies();
  await buildAddon();
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
  print(rows);
  return summary(rows);
}

const WORDS = { held: 'stopped', broken: 'GOT THROUGH', absent: 'not there', error: 'ERROR' };

function print(rows) {
  const Table = require('cli-table3');
  const table = new Table({ head: ['probe', 'tries', 'a dockerode pool', 'ours', 'unprotected'] });
  for (const { name, tries, answers } of rows) {
    table.push([name, short(tries, 48), ...answers.map(({ verdict }) => WORDS[verdict])]);
  }
  say(table.toString());
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function summary(rows) {
  const at = (side) => rows.map(({ answers }) => answers[SIDES.indexOf(side)].verdict);
  const count = (verdicts, verdict) => verdicts.filter((other) => other === verdict).length;
  const lacking = rows.filter((row) => row.lacking).map(({ name }) => name);
  for (const side of SIDES) {
    say(`${side}: ${count(at(side), 'broken')} of ${rows.length} got through`);
  }
  if (lacking.length > 0) say(`can't get through on this kernel at all: ${lacking.join(', ')}`);
  const faults = rows.flatMap(({ name, lacking: absent, answers: [, ours, weakened] }) => [
    ...(ours.verdict === 'held' ? [] : [`${name}, ours: ${ours.said}`]),
    ...(weakened.verdict === 'broken' || absent
      ? []
      : [`${name}, stopped without protection: ${weakened.said}`]),
  ]);
  for (const fault of faults) say(`! ${fault}`);
  return faults.length > 0 ? 1 : 0;
}

runMain(main);
