'use strict';

const { PoolError, invalid, onBehalfOf, typeOf } = require('../errors');
const { ContainerPoolManager, findContainer } = require('./manager');

// The plain functions. Each works on the singleton; those that only end things do not make one.

async function initialize() {
  return onBehalfOf(initialize, () => ContainerPoolManager.getInstance().initialize());
}

async function acquire(options) {
  return onBehalfOf(acquire, () => ContainerPoolManager.getInstance().acquire(options));
}

async function run(what, options) {
  return onBehalfOf(run, () => ContainerPoolManager.getInstance().run(what, options));
}

async function execute(container, ...call) {
  const target = live(container, 'execute');
  return onBehalfOf(execute, () => target.execute(...call));
}

function spawn(container, ...call) {
  const target = live(container, 'spawn');
  return onBehalfOf(spawn, () => target.spawn(...call));
}

async function destroy(container) {
  // An id that is not known is of a container that is gone, which is what was asked for.
  const target = resolve(container, 'destroy');
  await onBehalfOf(destroy, () => target?.destroy());
}

async function shutdown(options) {
  await onBehalfOf(shutdown, () => ContainerPoolManager.instance?.shutdown(options));
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
