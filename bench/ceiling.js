'use strict';

const { FloorContainer } = require('./floor');

/** The numbers of workers among which the best one is looked for. */
const WORKERS = [1, 2, 3, 4, 6];

/**
 * What the engine can do: workers that create, start and remove containers one after another, by bare
 * calls, and do nothing with them.
 *
 * - `sleeping` containers run `sleep`: what they take is the engine's alone;
 * - `booted` ones come up with the package's own interpreter, whose work is on the same processors.
 */
const MAKERS = {
  sleeping: async ({ engine, image, labels }) => {
    const id = await engine.startSleeping(image, labels);
    return () => engine.remove(id);
  },
  booted: async ({ engine, image, labels }) => {
    const container = await FloorContainer.create(engine, image, labels);
    return () => container.destroy();
  },
};

/**
 * Containers a second that so many workers make and remove, for as long as `ms` says.
 *
 * @param {{ engine: import('./floor').PlainEngine, image: string, labels: object, signal: AbortSignal }} context
 * @param {keyof MAKERS} kind
 */
async function rateOf(context, kind, workers, ms) {
  const started = performance.now();
  let made = 0;
  const work = async () => {
    while (performance.now() - started < ms) {
      context.signal.throwIfAborted();
      const remove = await MAKERS[kind](context);
      await remove();
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
