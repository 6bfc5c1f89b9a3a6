'use strict';

const { withoutCaller } = require('../no-caller');

const SIGNALS = ['SIGINT', 'SIGTERM'];

/** The pools that asked for an orderly shutdown (`handleSignals`). Empty: there are no listeners. */
const pools = new Set();

let closing = false;

function add(pool) {
  if (pools.size === 0) for (const signal of SIGNALS) process.on(signal, onSignal);
  pools.add(pool);
}

function remove(pool) {
  if (!pools.delete(pool) || pools.size > 0) return;
  for (const signal of SIGNALS) process.removeListener(signal, onSignal);
}

/** Closes every pool, then lets the signal do what it would have done. A second signal does it at once. */
async function onSignal(signal) {
  if (!closing) {
    closing = true;
    const closings = Array.from(pools, (pool) => withoutCaller(() => pool.shutdown()));
    await Promise.allSettled(closings);
    closing = false;
  }
  for (const pool of [...pools]) remove(pool);
  // Where the program has a listener of its own, how it ends is that listener's business.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

module.exports = { add, remove };
