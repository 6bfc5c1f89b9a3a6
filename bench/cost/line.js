'use strict';

// What it costs to join a line of a given length at its end, to leave it from anywhere, and to be served at
// its front: microseconds of this process's time for each waiter, everything from JavaScript to the pool
// and back included.
//
// Arguments: the engine's address; the lengths, by commas.

const { setImmediate: turn, setTimeout: pause } = require('node:timers/promises');
const v8 = require('node:v8');
const vm = require('node:vm');

const ContainerPoolManager = require('../..');
const { until } = require('../../harness/until');

// Not as an argument of node: with it, node can't use the code it has cached of its own modules.
v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

/** Until the native side, too, is done with what was begun before. */
const REST_MS = 500;
/** So many join, leave and are served at each length, which must be more. */
const SAMPLE = 200;

async function main(engine, lengths) {
  const pool = new ContainerPoolManager({ engine, poolSize: 0, max: 1 });
  let holder = await pool.acquire();
  const figures = [];
  // Twice at first: what V8 compiles on the way is not what is looked at.
  for (const length of [lengths[0], ...lengths]) {
    const crowd = joinAll(pool, length);
    await until(() => pool.stats().waiting === length, 120_000);

    let others;
    const join = await spent(async () => {
      others = joinAll(pool, SAMPLE);
      await turn();
    });
    // From all over the line, the sample included.
    const leaving = [...crowd, ...others].filter((_, at, { length: all }) => isOneOf(at, all));
    const leave = await spent(async () => {
      for (const waiter of leaving) waiter.leave();
      await Promise.allSettled(leaving.map(({ served }) => served));
    });

    const staying = [...crowd, ...others].filter((waiter) => !leaving.includes(waiter));
    const serve = await spent(async () => {
      for (const { served } of staying.slice(0, SAMPLE)) {
        await holder.destroy();
        holder = await served;
      }
    });
    figures.push({ length, join, leave, serve });

    const rest = staying.slice(SAMPLE);
    for (const waiter of rest) waiter.leave();
    await Promise.allSettled(rest.map(({ served }) => served));
  }
  await holder.destroy();
  await pool.shutdown();
  return figures.slice(1);
}

/** Whether the one at that place is one of `SAMPLE` spread over all. */
function isOneOf(at, all) {
  return Math.floor((at * SAMPLE) / all) !== Math.floor(((at + 1) * SAMPLE) / all);
}

function joinAll(pool, count) {
  return Array.from({ length: count }, () => {
    const controller = new AbortController();
    const served = pool.acquire({ timeout: 0, signal: controller.signal });
    // Whoever leaves is rejected, before anybody looks.
    served.catch(() => {});
    return { served, leave: () => controller.abort() };
  });
}

/**
 * µs of processor time, this process's threads together, for each of the sample. What the crowd leaves to
 * collect is collected before, and so is not in it: twice, as what is young is only moved at first.
 */
async function spent(work) {
  await pause(REST_MS);
  gc();
  gc();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / SAMPLE;
}

main(process.argv[2], process.argv[3].split(',').map(Number)).then((figures) => {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
});
