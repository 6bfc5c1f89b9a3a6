'use strict';

// `npm run test:kubernetes`: the engine on Kubernetes on a cluster of three nodes, which it makes on this machine and
// takes down again. Arguments are passed on to jest. What an API server can answer that no real one does on demand is
// part of `npm test`.

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { buildAddon } = require('../harness/addon');
const { defer, runMain } = require('../harness/cleanup');
const { installDependencies } = require('../harness/dependencies');
const { MARK, given, jest } = require('./jest');
const { Steps } = require('./steps');

/**
 * What of the tests of every engine runs on a cluster. Others are for images without Python, CPU time, limits that
 * nodes keep, budgets by what an engine has, networks, packages, or images that are pulled.
 */
const ON_CLUSTER = '__test__/engine/(display|execute|files|session|spawn)\\.test\\.js$';
/** Faults of its nodes and of what governs it. `npm test` has no cluster, and does not find them by their names. */
const FAULTS = '**/__test__/kubernetes/cluster/*.js';

async function startCluster() {
  const { control } = require('../harness/kubernetes/control');
  const { Cluster } = require('../harness/kubernetes/cluster');
  const cluster = await Cluster.start();
  cluster.socket = path.join(cluster.folder, 'control.sock');
  await control(cluster, cluster.socket);
  return { value: cluster, note: `${cluster.nodes.length} nodes` };
}

/** The pods and Leases of this package that there are in any namespace, a line each. */
async function inCluster(cluster) {
  const mark = encodeURIComponent('app.kubernetes.io/managed-by=scientist-pool');
  const lists = ['/api/v1/pods', '/apis/coordination.k8s.io/v1/leases'].map(async (list) => {
    const { status, body } = await cluster.request('GET', `${list}?labelSelector=${mark}`);
    if (status !== 200) throw new Error(`${list}: ${status}`);
    return body.items.map(({ metadata }) => `${path.basename(list)} ${metadata.name}`);
  });
  return (await Promise.all(lists)).flat();
}

async function main() {
  const id = randomUUID();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-test-'));
  const reports = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-report-'));
  for (const temporary of [folder, reports]) {
    defer(() => fs.rmSync(temporary, { recursive: true, force: true }));
  }
  const steps = new Steps();
  const dependencies = steps.start('dependencies', [], installDependencies);
  const addon = steps.start('addon', [dependencies], async () => {
    return { note: (await buildAddon()).built ? 'built' : 'up to date' };
  });
  await addon.done;
  const made = steps.start('cluster', [dependencies], startCluster);
  await made.done;
  const cluster = made.value;
  const env = () => ({
    ...{ [MARK]: id, TMPDIR: folder, DOCKER_HOST: '' },
    ...{ SCIENTIST_POOL_TEST_ENGINE: 'kubernetes', KUBECONFIG: cluster.kubeconfig },
    SCIENTIST_POOL_TEST_CLUSTER: cluster.socket,
  });
  const run = (name, args) =>
    steps.start(name, [addon, made], () =>
      jest([...args, ...given()], env(), path.join(reports, 'report.json')),
    ).done;
  // They mostly wait for pods.
  await run('jest, on the cluster', ['--maxWorkers=2', '--testPathPatterns', ON_CLUSTER]);
  await run('jest, faults of the cluster', ['--runInBand', `--testMatch=${FAULTS}`]);
  await steps.start('nothing left behind', [made], lookForLeftovers).done;

  return steps.conclude();

  async function lookForLeftovers() {
    await require('./leftovers').refuse({
      ...{ mark: [MARK, id], folder, engines: cluster.engines, link: cluster.link },
      look: () => inCluster(cluster),
      stop: () => cluster.stop(),
    });
    return { note: 'no pod, Lease, process, mount, control group, interface or temporary file' };
  }
}

runMain(main);
