'use strict';

// The process of the API server for `../crowd.js`: an imagined cluster. Tells its kubeconfig, and when asked, how much
// it was asked and told.

const { FakeCluster, running } = require('../../harness/kubernetes/fake-cluster');

/** What a container takes to run. */
const START_MS = 5;

async function main() {
  const cluster = await FakeCluster.start({ imagined: true });
  cluster.run = (pod) => setTimeout(() => cluster.set(pod, running()), START_MS);
  process.on('message', async (what) => {
    if (what === 'stop') {
      await cluster.stop();
      process.exit(0);
    }
    const { seen, toldBytes, pods } = cluster;
    const counts = {};
    for (const request of seen.splice(0)) {
      const key = request
        .replace(/scientist-pool-[^/]*/, 'NAME')
        .replace(/\/api.*namespaces\/pool\//, '');
      counts[key] = (counts[key] ?? 0) + 1;
    }
    process.send({ counts, toldBytes, pods: pods.size });
  });
  process.send({ kubeconfig: cluster.kubeconfig });
}

main();
