'use strict';

// node bench/day.js [--minutes M] [--json FILE] [--svg FILE]
// Replays a day of arrivals, squeezed into minutes, on a pool whose size follows demand
// and on pools of fixed sizes beside it, each on a fake engine of its own. Needs the built addon, and
// no container engine.

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');

const { ContainerPoolManager } = require('..');
const { runMain, defer } = require('../harness/cleanup');
const { FakeEngine } = require('../testing');
const { dayOf } = require('./arrivals');
const { dayPlot } = require('./plots/day');

const HOURS = 24;
/** Seconds: the target falls to its minimum once the day is over. */
const AFTER = 120;
/** How long the fake engine takes over a start, ms: with the rest, about what Docker takes on two cores. */
const START_MS = 330;
/** How long a call takes, ms. */
const CALL_MS = 50;
const RANGE = { min: 2, max: 40 };
const FIXED = [2, 3, 4, 5, 6, 8];

/** A pool on an engine of its own. */
async function open(poolSize) {
  const engine = await FakeEngine.start();
  engine.delay('start', START_MS).run = () => ({ delay: CALL_MS });
  const pool = new ContainerPoolManager({ engine: engine.address, poolSize, acquireTimeout: 0 });
  const close = defer(async () => {
    await pool.shutdown({ grace: 0 });
    await engine.close();
  });
  await pool.initialize();
  return { pool, close };
}

/** The share of calls that found a warm container. */
function warmShare(pool) {
  const { acquiredWarm, acquiredOnDemand } = pool.stats().totals;
  return acquiredWarm / (acquiredWarm + acquiredOnDemand);
}

/** Replays the arrivals within so many minutes. */
async function replay(arrivals, minutes) {
  const following = await open(RANGE);
  const fixed = [];
  for (const size of FIXED) fixed.push(await open(size));
  const pools = [following, ...fixed].map(({ pool }) => pool);
  const factor = (HOURS * 60) / minutes;
  const seconds = Math.ceil(minutes * 60) + AFTER;
  const series = { demand: new Array(seconds).fill(0), target: [], warm: [] };
  const begin = performance.now();
  const until = (second) => sleep(begin + second * 1000 - performance.now());
  const look = async () => {
    for (let second = 0; second < seconds; second += 1) {
      await until(second);
      const { warm, poolSize } = following.pool.stats();
      series.warm.push(warm);
      series.target.push(poolSize);
    }
  };
  const call = async () => {
    const calls = [];
    for (const arrival of arrivals) {
      const second = arrival / factor;
      if (second * 1000 > performance.now() - begin) await until(second);
      series.demand[Math.floor(second)] += 1;
      for (const pool of pools) calls.push(pool.run('tool()'));
    }
    await Promise.all(calls);
  };
  await Promise.all([look(), call()]);
  const average = series.target.reduce((sum, target) => sum + target, 0) / seconds;
  const result = {
    date: new Date().toISOString(),
    minutes,
    factor,
    range: RANGE,
    calls: arrivals.length,
    createMs: following.pool.stats().latency.create.p50,
    average,
    warmShare: warmShare(following.pool),
    fixed: fixed.map(({ pool }) => ({ size: pool.poolSize, warmShare: warmShare(pool) })),
    series,
  };
  await Promise.all([following, ...fixed].map(({ close }) => close()));
  return result;
}

runMain(async () => {
  const string = { type: 'string' };
  const { values } = parseArgs({
    options: { minutes: { ...string, default: '12' }, json: string, svg: string },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0))
    throw new RangeError(`--minutes takes a positive number; got ${values.minutes}`);
  const result = await replay(dayOf(), minutes);
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(result)}\n`);
  if (values.svg) fs.writeFileSync(values.svg, dayPlot(result));
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  const rows = [
    [`${RANGE.min} to ${RANGE.max}, ${result.average.toFixed(1)} on average`, result.warmShare],
    ...result.fixed.map((row) => [row.size, row.warmShare]),
  ];
  process.stdout.write(`${result.calls} calls; create p50 ${Math.round(result.createMs)} ms\n`);
  for (const [size, share] of rows) {
    process.stdout.write(`poolSize ${size}: ${percent(share)} from warm\n`);
  }
});
