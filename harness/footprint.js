'use strict';

// What warm containers cost the process that holds them: memory, threads and, while nothing happens,
// processor time; and what it costs to take each of them.
//
// Arguments: the options of the pool as JSON, its `poolSize` being the number to be measured; ms to be idle.

const { setTimeout: pause } = require('node:timers/promises');

const ContainerPoolManager = require('..');
const { held } = require('./held');
const { until } = require('./until');

/** Held from the start, so that what the first ones bring along for all is not counted. */
const FEW = 2;
/** What is collected behind the making of containers is collected by then. */
const REST_MS = 1000;

async function main(options, idleMs) {
  const { poolSize } = options;
  const pool = new ContainerPoolManager({ ...options, poolSize: FEW, max: poolSize });
  await pool.initialize();
  const few = await atRest();
  pool.poolSize = poolSize;
  await until(() => pool.stats().warm === poolSize, 120_000);
  const many = await atRest();

  const began = performance.now();
  const cpu = process.cpuUsage();
  await pause(idleMs);
  const { user, system } = process.cpuUsage(cpu);
  const idle = (user + system) / ((performance.now() - began) * 1000);

  const acquired = [];
  const acquire = [];
  for (let taken = 0; taken < poolSize; taken += 1) {
    const asked = performance.now();
    acquired.push(await pool.acquire());
    acquire.push((performance.now() - asked) * 1000);
  }
  pool.poolSize = 0;
  await Promise.all(acquired.map((container) => container.destroy()));
  await pool.shutdown();
  return {
    acquire,
    idle: idle * 100,
    memory: (many.rss - few.rss) / 1024 / (poolSize - FEW),
    threads: many.threads - few.threads,
  };
}

async function atRest() {
  await pause(REST_MS);
  const { threads } = held();
  return { threads, rss: process.memoryUsage.rss() };
}

main(JSON.parse(process.argv[2]), Number(process.argv[3])).then((figures) => {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
});
