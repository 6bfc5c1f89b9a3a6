'use strict';

const { setTimeout: delay } = require('node:timers/promises');

/** How long a pool may take to be full again. */
const REFILL_MS = 30_000;

/**
 * Waits until the pool is full. Both kinds of pool show their ready containers as `pool` and how many
 * there should be as `poolSize`.
 */
async function untilFull(pool, onProgress = () => {}) {
  for (const end = Date.now() + REFILL_MS; pool.pool.length < pool.poolSize; await delay(10)) {
    onProgress(pool.pool.length / pool.poolSize);
    if (Date.now() > end) throw new Error(`the pool is not full after ${REFILL_MS} ms`);
  }
  onProgress(1);
}

/** Resolves with what `promise` does, or with `null` when the time is over first. */
async function within(ms, promise) {
  const abort = new AbortController();
  const timer = delay(ms, null, { signal: abort.signal }).catch(() => null);
  try {
    return await Promise.race([promise, timer]);
  } finally {
    abort.abort();
  }
}

/**
 * One tool call on a pool: a container for it alone, run, destroyed.
 *
 * `bounded`: whether the pool ends a call that hangs by itself. If not, we turn our back on it.
 */
async function measure(pool, call, { bounded }) {
  const begin = performance.now();
  const container = await pool.acquire();
  const acquired = performance.now();
  try {
    const running = container.execute(call.script, call.env, [], { timeout: call.timeout });
    // Removing the container ends the call we gave up, one way or the other.
    running.catch(() => {});
    const result = bounded ? await running : await within(call.timeout, running);
    return {
      acquire: acquired - begin,
      execute: performance.now() - acquired,
      exitCode: result?.exitCode ?? null,
      reason: result ? (result.reason ?? '') : 'given up',
      stdout: result?.stdout ?? '',
      stderr: result?.stderr ?? '',
    };
  } finally {
    await container.destroy();
  }
}

module.exports = { measure, untilFull };
