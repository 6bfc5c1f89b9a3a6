'use strict';

// `node bench/cluster.js [--calls 100] [--pods 20]`: what a call and a pod take on Kubernetes, beside what the cluster
// itself takes for an exec and for a bare pod, interleaved. On a cluster of our own of three nodes on this machine, with
// the addon as it is built.

const { parseArgs } = require('node:util');

const Table = require('cli-table3');
const WebSocket = require('ws');

const { ContainerPoolManager } = require('..');
const { runMain } = require('../harness/cleanup');
const { say } = require('../harness/console');
const { Cluster } = require('../harness/kubernetes/cluster');
const { processes } = require('../harness/processes');
const { until } = require('../harness/until');
const { load } = require('./machine');
const { medianRatio, summarize } = require('./statistics');

const PODS = '/api/v1/namespaces/default/pods';
const SIDE_BY_SIDE = 4;
/** Of a run, in s. */
const SUSTAINED = 20;

/** Milliseconds that the work takes. */
async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function requested(cluster, method, url, body) {
  const answer = await cluster.request(method, url, body);
  if (answer.status >= 300) throw new Error(`${method} ${url}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** A pod as the pool makes them, less what makes it one of a pool. */
class Bare {
  static #count = 0;

  constructor(cluster, { spec }) {
    this.cluster = cluster;
    Bare.#count += 1;
    this.name = `bare-${process.pid}-${Bare.#count}`;
    const { nodeName, ...others } = spec;
    const container = { ...others.containers[0] };
    // Its process is found by that.
    container.command = [
      'python3',
      '-I',
      '-S',
      '-c',
      `import time # ${this.name} #\ntime.sleep(600)`,
    ];
    container.stdin = false;
    // The API server's own.
    container.volumeMounts = container.volumeMounts.filter(({ name }) => /^memory/.test(name));
    const volumes = others.volumes.filter(({ name }) => /^memory/.test(name));
    this.spec = { ...others, containers: [container], volumes };
  }

  make() {
    const body = { metadata: { name: this.name }, spec: this.spec };
    return requested(this.cluster, 'POST', PODS, body);
  }

  /** Resolves when its process is there. */
  runs() {
    return until(
      () => processes().some(({ command }) => command.includes(`# ${this.name} #`)),
      60_000,
    );
  }

  async phase() {
    return (await requested(this.cluster, 'GET', `${PODS}/${this.name}`)).status.phase;
  }

  remove() {
    return requested(this.cluster, 'DELETE', `${PODS}/${this.name}?gracePeriodSeconds=0`);
  }
}

/** Runs a command in a pod as kubectl does, to its end. */
function exec(cluster, pod, argv) {
  const command = argv.map((word) => `command=${encodeURIComponent(word)}`).join('&');
  const url = `${cluster.address}${PODS}/${pod}/exec?stdout=true&stderr=true&${command}`;
  const socket = new WebSocket(
    url.replace('https', 'wss'),
    'v4.channel.k8s.io',
    cluster.credentials,
  );
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('message', (data) => {
      if (data[0] === 1) text += data.subarray(1);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

const atRest = (pool) =>
  until(() => {
    const { warm, creating, destroying, poolSize } = pool.stats();
    return warm === poolSize && creating + destroying === 0;
  }, 120_000);

async function measureCalls(cluster, pool, calls) {
  const [warm, beside] = [[], []];
  const standing = await pool.acquire();
  const python = ['python3', '-c', 'print(6 * 7)'];
  for (let number = 0; number < calls; number += 1) {
    await atRest(pool);
    let container;
    warm.push(
      await timed(async () => {
        container = await pool.acquire();
        const { stdout } = await container.execute('print(6 * 7)');
        if (stdout !== '42') throw new Error(`a call gave ${stdout}`);
      }),
    );
    beside.push(
      await timed(async () => {
        const text = await exec(cluster, standing.id, python);
        if (text.trim() !== '42') throw new Error(`an exec gave ${text}`);
      }),
    );
    await container.destroy();
  }
  await standing.destroy();
  return { warm, beside };
}

/** Whether process 1 of a pod of ours is there. */
const waits = () => processes().filter(({ command }) => command.includes('FAREWELL')).length;

async function measurePods(cluster, template, pods) {
  const pool = new ContainerPoolManager({ engine: 'kubernetes', poolSize: 0 });
  const [ready, bare, told, removed] = [[], [], [], []];
  for (let number = 0; number < pods; number += 1) {
    await until(() => waits() === 0);
    let container;
    ready.push(await timed(async () => (container = await pool.acquire())));
    const began = performance.now();
    const ended = container.destroy();
    await until(() => waits() === 0);
    removed.push(performance.now() - began);
    await ended;
    const other = new Bare(cluster, template);
    const made = performance.now();
    await other.make();
    await other.runs();
    bare.push(performance.now() - made);
    await until(async () => (await other.phase()) === 'Running');
    told.push(performance.now() - made);
    await other.remove();
  }
  await pool.shutdown();
  return { ready, bare, told, removed };
}

/** Pods made, used and deleted in a second, by so many at a time. */
async function sustained(use) {
  const end = performance.now() + SUSTAINED * 1000;
  let count = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await use();
      count += 1;
    }
  };
  const took = await timed(() => Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker)));
  return count / (took / 1000);
}

async function measureSustained(cluster, template) {
  const pool = new ContainerPoolManager({ engine: 'kubernetes', poolSize: 0 });
  const own = await sustained(() => pool.run('print(1)'));
  await pool.shutdown();
  const bare = await sustained(async () => {
    const pod = new Bare(cluster, template);
    await pod.make();
    await pod.runs();
    await pod.remove();
  });
  return { own, bare };
}

function row(what, samples, beside) {
  const { n, p50, p90, p99 } = summarize(samples);
  const ratio = beside ? medianRatio(samples, beside).value.toFixed(2) : '';
  return [what, ...[p50, p90, p99].map((value) => value.toFixed(1)), n, ratio];
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '100' },
      pods: { type: 'string', default: '20' },
    },
  });
  const cluster = await Cluster.start();
  process.env.KUBECONFIG = cluster.kubeconfig;
  const pool = new ContainerPoolManager({ engine: 'kubernetes', poolSize: 2 });
  await pool.initialize();
  await atRest(pool);
  const [{ id }] = pool.pool;
  const template = await requested(cluster, 'GET', `${PODS}/${id}`);
  const { warm, beside } = await measureCalls(cluster, pool, Number(values.calls));
  await pool.shutdown();
  say(`calls: done, load ${load()}`);
  const { ready, bare, told, removed } = await measurePods(cluster, template, Number(values.pods));
  say(`pods: done, load ${load()}`);
  const rates = await measureSustained(cluster, template);
  say(`sustained: done, load ${load()}`);
  const table = new Table({ head: ['ms', 'p50', 'p90', 'p99', 'n', 'ratio of p50'] });
  table.push(row('acquire to result, warm', warm, beside));
  table.push(row('exec of python3 in a pod that runs', beside));
  table.push(row('acquire without a warm pod', ready, bare));
  table.push(row('bare pod created, its process runs', bare));
  table.push(row('bare pod created, the API says so', told));
  table.push(row('destroy, its process is gone', removed));
  say(table.toString());
  const [own, other] = [rates.own, rates.bare].map((rate) => rate.toFixed(2));
  say(`pods a second, ${SIDE_BY_SIDE} at a time for ${SUSTAINED} s: ${own}; bare ones ${other}`);
}

runMain(main);
