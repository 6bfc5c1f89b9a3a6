'use strict';

const { PoolError, invalid, typeOf } = require('./errors');
const { ContainerPoolManager, findContainer } = require('./manager');

// The plain functions. Each works on the singleton; those that only end things do not make one.

async function initialize() {
  return ContainerPoolManager.getInstance().initialize();
}

async function acquire(options) {
  return ContainerPoolManager.getInstance().acquire(options);
}

async function run(what, options) {
  return ContainerPoolManager.getInstance().run(what, options);
}

async function execute(container, ...call) {
  return live(container, 'execute').execute(...call);
}

function spawn(container, ...call) {
  return live(container, 'spawn').spawn(...call);
}

async function destroy(container) {
  // An id that is not known is of a container that is gone, which is what was asked for.
  await resolve(container, 'destroy')?.destroy();
}

async function shutdown(options) {
  await ContainerPoolManager.instance?.shutdown(options);
}

/** A container from itself or its id, to run something in. */
function live(container, method) {
  const target = resolve(container, method);
  if (target !== undefined) return target;
  throw new PoolError(
    'CONTAINER_TERMINATED',
    `No live container of the pool has the id ${container}: it was destroyed, or belongs to another pool. Acquire a new one.`,
    { containerId: container },
  );
}

/** A container from itself or its id; `undefined` for an id that no live container has. */
function resolve(container, method) {
  if (typeof container === 'string' && container !== '') {
    const pool = ContainerPoolManager.instance;
    return pool ? findContainer(pool, container) : undefined;
  }
  // By what it can do, not by its class: after jest.resetModules there are two such classes.
  if (typeof container?.[method] === 'function') return container;
  throw invalid(`container must be a Container or the id of one; got ${typeOf(container)}`);
}

module.exports = { acquire, destroy, execute, initialize, run, shutdown, spawn };
