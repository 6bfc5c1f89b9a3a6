'use strict';

/** The numbers of workers among which the best one is looked for. */
const WORKERS = [1, 2, 3, 4, 6];

/**
 * What the engine can do: containers a second that so many workers create, start and remove by bare calls, one
 * after another, for as long as `ms` says.
 *
 * @param {{ floor: import('./floor').Floor, signal: AbortSignal }} context
 * @param {'sleeping' | 'booted'} kind what they do then: nothing, so that what they take is the engine's
 *   alone; or they come up with the package's own interpreter, whose work is on the same processors
 */
async function rateOf({ floor, signal }, kind, workers, ms) {
  const started = performance.now();
  let made = 0;
  const work = async () => {
    while (performance.now() - started < ms) {
      signal.throwIfAborted();
      const container = await floor[kind]();
      await container.destroy();
      made += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return (made * 1000) / (performance.now() - started);
}

/** The number of workers that makes the most of them, and how many a second. */
async function best(context, kind, ms) {
  const tried = [];
  for (const workers of WORKERS) {
    tried.push({ workers, rate: await rateOf(context, kind, workers, ms) });
  }
  return tried.reduce((one, other) => (other.rate > one.rate ? other : one));
}

module.exports = { best, rateOf };
