'use strict';

// `npm run test:kubernetes`: the engine on Kubernetes on a cluster of three nodes, which it makes on this machine and
// takes down again. Arguments are passed on to jest. What an API server can answer that no real one does on demand is
// part of `npm test`.

const { buildAddon } = require('../harness/addon');
const { runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { installDependencies } = require('../harness/dependencies');
const paths = require('../harness/paths');

/**
 * What of the tests of every engine runs on a cluster. Others are for images without Python, CPU time, limits that
 * nodes keep, budgets by what an engine has, networks, or images that are pulled.
 */
const ON_CLUSTER = '__test__/engine/(execute|files|spawn)\\.test\\.js$';

async function main() {
  await installDependencies();
  await buildAddon({ show: true });
  const { Cluster } = require('../harness/kubernetes');
  const cluster = await Cluster.start();
  const env = {
    ...{ SCIENTIST_POOL_TEST_ENGINE: 'kubernetes', DOCKER_HOST: '' },
    KUBECONFIG: cluster.kubeconfig,
  };
  const program = require.resolve('jest/bin/jest', { paths: [paths.root] });
  const { code } = await run(
    process.execPath,
    [program, '--ci', '--runInBand', '--testPathPatterns', ON_CLUSTER, ...process.argv.slice(2)],
    { cwd: paths.root, env, show: true, check: false },
  );
  return code;
}

runMain(main);
