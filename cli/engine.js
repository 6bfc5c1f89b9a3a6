'use strict';

const { setImmediate } = require('node:timers/promises');

const { ContainerPoolManager } = require('..');
const { showPull } = require('./pull-progress');

/** The options of every command that contacts an engine. */
const engineOptions = { engine: { type: 'string' }, image: { type: 'string' } };

/** The options of every command that makes containers. */
const containerOptions = { ...engineOptions, runtime: { type: 'string' } };

/** Does something with a pool that asks its engine for nothing by itself. */
async function withPool(options, use) {
  const pool = new ContainerPoolManager({ ...options, poolSize: 0 });
  try {
    return await use(pool);
  } finally {
    await pool.shutdown({ grace: 0 });
  }
}

/** Waits for what keeps no process alive by itself, such as an event of a pool. */
async function awake(promise) {
  const hold = setInterval(() => {}, 60_000);
  try {
    return await promise;
  } finally {
    clearInterval(hold);
  }
}

/**
 * Has a pool without warm containers contact its engine, and does something with it.
 *
 * @param {(found: { pool: ContainerPoolManager, engine: object, swept: string[], failure: Error | null }) => unknown} use
 *   `failure`: why the image is not there, if it isn't
 * @throws {PoolError} where the engine did not answer
 */
async function withEngine(options, io, use) {
  const pool = new ContainerPoolManager({ ...options, poolSize: 0, handleSignals: true });
  const told = new Promise((resolve) => pool.once('engine', resolve));
  const wipe = showPull(pool, io);
  try {
    const failure = await pool.initialize().then(
      () => null,
      (error) => error,
    );
    // What came before this may reach its listeners after it, but in the same turn of the event loop.
    await setImmediate();
    wipe();
    // It has answered if the image is all that is wrong; its own event may still be on its way.
    if (failure !== null && !/^IMAGE_/.test(failure.code)) throw failure;
    const { engine, swept } = await awake(told);
    return await use({ pool, engine, swept, failure });
  } finally {
    await pool.shutdown({ grace: 0 });
  }
}

module.exports = { containerOptions, engineOptions, withEngine, withPool };
