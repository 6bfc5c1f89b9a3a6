'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { connect } = require('../../harness/engine');

/**
 * What is done to a run, each by its name: `weight`, how often beside the others, and `cause(run)`, which
 * resolves when the fault is over. A run has `engine`, `proxy`, `random`, `label`, and `restart()`, which
 * kills a process under load and starts another in its place.
 */
const FAULTS = {
  'a container is killed': {
    weight: 6,
    cause: (run) => withContainer(run, (container) => container.kill()),
  },
  'a container is removed': {
    weight: 3,
    cause: (run) => withContainer(run, (container) => container.remove({ force: true })),
  },
  'a process is killed': { weight: 2, cause: (run) => run.restart() },
  'the engine is frozen': {
    weight: 2,
    cause: async ({ engine, random }) => {
      engine.signal('SIGSTOP');
      await sleep(random.between(500, 8000));
      engine.signal('SIGCONT');
    },
  },
  'the engine is killed': { weight: 1, cause: (run) => bounce(run, 'SIGKILL') },
  'the engine is stopped': { weight: 1, cause: (run) => bounce(run, 'SIGTERM') },
  'connections break': { weight: 2, cause: async ({ proxy }) => proxy.reset() },
  'connections hang': {
    weight: 1,
    cause: async ({ proxy, random }) => {
      proxy.freeze();
      await sleep(random.between(500, 4000));
      proxy.thaw();
    },
  },
  'the socket vanishes': {
    weight: 2,
    cause: async ({ proxy, random }) => {
      proxy.hide();
      if (random.between(0, 1)) proxy.reset();
      await sleep(random.between(200, 3000));
      proxy.show();
    },
  },
  'an answer is lost': {
    weight: 5,
    cause: (run) => oneCall(run, (call) => call.lose()),
  },
  'an answer is cut': {
    weight: 3,
    cause: (run) => oneCall(run, (call) => call.cut('answer', run.random.between(1, 300))),
  },
  'a call never arrives': { weight: 2, cause: (run) => oneCall(run, () => {}) },
};

const ROUTES = [
  'POST /containers/create',
  'POST /containers/:id/attach',
  'POST /containers/:id/start',
  'DELETE /containers/:id',
];

async function withContainer({ engine, random, label }, deed) {
  const docker = connect(engine);
  const filters = { label: [`test.soak=${label}`] };
  const containers = await docker.listContainers({ filters });
  if (containers.length === 0) return;
  await deed(docker.getContainer(random.of(containers).Id)).catch((error) => {
    // It ended by itself in between.
    if (![404, 409].includes(error.statusCode)) throw error;
  });
}

async function bounce({ engine, random }, signal) {
  await engine.stopDaemon(signal);
  await sleep(random.between(0, 4000));
  await engine.startDaemon();
}

/** Has one of the next calls of a route fail; if none comes within two seconds, none does. */
async function oneCall({ proxy, random }, handler) {
  const route = random.of(ROUTES);
  proxy.on(route, handler, { skip: random.between(0, 2), times: 1 });
  await sleep(2000);
  proxy.off(route);
}

/** One of them, by weight. */
function choose(random) {
  const names = Object.entries(FAULTS).flatMap(([name, { weight }]) => Array(weight).fill(name));
  return random.of(names);
}

module.exports = { FAULTS, choose };
