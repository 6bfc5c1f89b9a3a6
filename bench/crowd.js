'use strict';

// `node bench/crowd.js [--pods 10000] [--side-by-side 64]`: what a pool of many pods takes of this process. The API
// server is one in memory, of another process, whose nodes are imagined: a pod runs 5 ms after it is made, and its
// supervisor says what one says. So these are the package's own costs, and no cluster's.

const { fork } = require('node:child_process');
const { parseArgs } = require('node:util');

const { ContainerPoolManager } = require('..');
const { defer, runMain } = require('../harness/cleanup');
const { say } = require('../harness/console');
const { until } = require('../harness/until');
const { load } = require('./machine');

const PATIENCE = 600_000;
/** Of the memory that a cluster without a quota is taken to have. */
const EACH = '16m';

function cluster() {
  const child = fork(require.resolve('./crowd/cluster'), []);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  defer(() => {
    if (child.connected) child.send('stop');
    return ended;
  });
  let answer;
  child.on('message', (message) => answer(message));
  const ask = (what) =>
    new Promise((resolve) => {
      answer = resolve;
      child.send(what);
    });
  return { ask, begun: new Promise((resolve) => (answer = resolve)) };
}

const mib = (bytes) => (bytes / 2 ** 20).toFixed(0);
const resident = () => process.memoryUsage().rss;

async function main() {
  const { values } = parseArgs({
    options: {
      pods: { type: 'string', default: '10000' },
      'side-by-side': { type: 'string', default: '64' },
      seconds: { type: 'string', default: '20' },
    },
  });
  const pods = Number(values.pods);
  const { ask, begun } = cluster();
  const { kubeconfig } = await begun;
  const before = resident();
  const pool = new ContainerPoolManager({
    ...{ engine: 'kubernetes', kubernetes: { kubeconfig }, memory: EACH },
    createConcurrency: Number(values['side-by-side']),
    ...{ poolSize: pods, max: pods + Number(values['side-by-side']) },
  });
  pool.on('error', ({ message }) => say(`error: ${message}`));
  const began = performance.now();
  const cpu = process.cpuUsage();
  pool.initialize().catch(() => {});
  await until(() => pool.stats().warm === pods, PATIENCE);
  const took = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const filled = await ask('counts');
  say(`${pods} pods warm after ${took.toFixed(1)} s: ${(pods / took).toFixed(0)} a second`);
  say(`  processor: ${((user + system) / 1000 / pods).toFixed(2)} ms a pod`);
  say(
    `  memory: ${mib(resident() - before)} MiB, ${((resident() - before) / 1024 / pods).toFixed(1)} KiB a pod`,
  );
  say(`  told by the watch: ${(filled.toldBytes / 1024 / pods).toFixed(1)} KiB a pod`);
  say(`  requests: ${JSON.stringify(filled.counts)}`);
  const idle = process.cpuUsage();
  const rested = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const { user: u, system: s } = process.cpuUsage(idle);
  say(`  at rest: ${((u + s) / 10 / (performance.now() - rested)).toFixed(1)} % of a processor`);
  const end = performance.now() + Number(values.seconds) * 1000;
  let calls = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await pool.run('print(1)');
      calls += 1;
    }
  };
  const busy = process.cpuUsage();
  await Promise.all(Array.from({ length: Number(values['side-by-side']) }, worker));
  const spent = process.cpuUsage(busy);
  const { counts } = await ask('counts');
  say(`calls, each with a fresh pod: ${(calls / Number(values.seconds)).toFixed(0)} a second`);
  say(
    `  processor: ${((spent.user + spent.system) / 1000 / calls).toFixed(2)} ms a call, load ${load()}`,
  );
  say(`  requests: ${JSON.stringify(counts)}`);
  await pool.shutdown({ grace: 0 });
}

runMain(main);
