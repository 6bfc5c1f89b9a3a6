'use strict';

// `node bench/recovery.js [--rounds 5]`: how long each fault takes to be noticed, and how long it then
// takes until all is as before. On an engine of our own, with the addon as it is built. The table is the
// measured part of `docs/reliability.md`.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { parseArgs } = require('node:util');

const Table = require('cli-table3');

const { ContainerPoolManager } = require('..');
const { runMain } = require('../harness/cleanup');
const { say } = require('../harness/console');
const { connect } = require('../harness/engine');
const { ensureImages } = require('../harness/images');
const { OwnEngine } = require('../harness/own-engine');
const { root } = require('../harness/paths');
const { EngineProxy } = require('../harness/proxy');
const { until } = require('../harness/until');
const { describe, load } = require('./machine');
const { summarize } = require('./statistics');

const SLEEP = 'import time\nprint(1, flush=True)\ntime.sleep(600)';
const CREATE = 'POST /containers/create';

/** Milliseconds that the work takes. */
async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const atRest = (pool) =>
  until(() => {
    const { warm, creating, destroying, poolSize } = pool.stats();
    return warm === poolSize && creating + destroying === 0;
  }, 60_000);

const refilled = (pool) => until(() => pool.stats().warm === pool.poolSize, 60_000);

/** A script that runs in a container on lease; `ended` resolves when its call does. */
async function running(pool) {
  const container = await pool.acquire();
  let begun;
  const output = new Promise((resolve) => {
    begun = resolve;
  });
  const call = container.execute(SLEEP, {}, [], { onStdout: begun });
  const ended = call.then(
    () => {},
    () => {},
  );
  await output;
  await atRest(pool);
  return { container, ended };
}

/** The engine goes by a signal, and comes back. */
const bounced = (signal) => async (bench) => {
  const { engine } = bench;
  const pool = bench.pool();
  const { ended } = await running(pool);
  const stopped = engine.stopDaemon(signal);
  const noticed = await timed(() => ended);
  await stopped;
  await until(() => pool.stats().warm === 0);
  await engine.startDaemon();
  return { noticed, recovered: await timed(() => refilled(pool)) };
};

/** What is done, what counts as noticed and as recovered, and the two times. */
const SCENARIOS = [
  {
    fault: 'process killed (SIGKILL), idle, two warm',
    noticed: 'from the kill until none of its containers is listed',
    recovered: '',
    measure: async ({ engine }) => {
      const options = { engine: engine.host, labels: { 'bench.recovery': 'killed' } };
      const program = `const { ContainerPoolManager } = require(${JSON.stringify(root)});
        const pool = new ContainerPoolManager(${JSON.stringify(options)});
        pool.initialize().then(() => console.log('full'));`;
      const stdio = ['ignore', 'pipe', 'inherit'];
      const child = spawn(process.execPath, ['--eval', program], { stdio });
      await once(child.stdout, 'data');
      const filters = { label: ['bench.recovery=killed'] };
      const listed = () => connect(engine).listContainers({ all: true, filters });
      child.kill('SIGKILL');
      const noticed = await timed(() => until(async () => (await listed()).length === 0));
      return { noticed };
    },
  },
  {
    fault: 'warm container killed',
    noticed: 'from the kill until the event `lost`',
    recovered: 'from then until the pool is full',
    measure: async (bench) => {
      const pool = bench.pool();
      await pool.initialize();
      const lost = once(pool, 'lost');
      const killed = connect(bench.engine).getContainer(pool.pool[0].id).kill();
      const noticed = await timed(() => lost);
      await killed;
      return { noticed, recovered: await timed(() => refilled(pool)) };
    },
  },
  {
    fault: 'container killed under a script',
    noticed: 'from the kill until the call rejects',
    recovered: '',
    measure: async (bench) => {
      const { container, ended } = await running(bench.pool());
      const killed = connect(bench.engine).getContainer(container.id).kill();
      const noticed = await timed(() => ended);
      await killed;
      return { noticed };
    },
  },
  {
    fault: 'engine killed (SIGKILL)',
    noticed: 'from the kill until a running call rejects',
    recovered: 'from its first answer until the pool is full',
    measure: bounced('SIGKILL'),
  },
  {
    fault: 'engine stopped (SIGTERM)',
    noticed: 'from the stop until a running call rejects',
    recovered: 'from its first answer until the pool is full',
    measure: bounced('SIGTERM'),
  },
  {
    fault: 'engine frozen, engine.timeout 1000',
    noticed: 'from an acquire on demand until it rejects',
    recovered: 'from SIGCONT until a call has its result',
    measure: async ({ engine, ...bench }) => {
      const pool = bench.pool({ poolSize: 0, engine: { host: engine.host, timeout: 1000 } });
      await pool.run('pass');
      await atRest(pool);
      engine.signal('SIGSTOP');
      const noticed = await timed(() => pool.acquire().catch(() => {}));
      engine.signal('SIGCONT');
      const recovered = await timed(() =>
        until(() =>
          pool.run('pass').then(
            () => true,
            () => false,
          ),
        ),
      );
      return { noticed, recovered };
    },
  },
  {
    fault: 'socket gone and connections broken for 1 s',
    noticed: 'from the break until no container counts as warm',
    recovered: 'from the return until the pool is full',
    measure: async ({ proxy, ...bench }) => {
      const pool = bench.pool({ engine: proxy.address });
      await pool.initialize();
      proxy.hide();
      proxy.reset();
      const noticed = await timed(() => until(() => pool.stats().warm === 0));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      proxy.show();
      return { noticed, recovered: await timed(() => refilled(pool)) };
    },
  },
  {
    fault: 'creates fail for 2 s',
    noticed: 'from the first failure until the state `degraded`',
    recovered: 'from the end of the fault until the pool is full',
    measure: async ({ proxy, ...bench }) => {
      const pool = bench.pool({ engine: proxy.address });
      await pool.initialize();
      let failed;
      proxy.on(CREATE, (call) => {
        failed ??= performance.now();
        call.close();
      });
      await pool.acquire();
      await until(() => pool.stats().state === 'degraded');
      const noticed = performance.now() - failed;
      await new Promise((resolve) => setTimeout(resolve, 2000));
      proxy.off(CREATE);
      return { noticed, recovered: await timed(() => refilled(pool)) };
    },
  },
  {
    fault: "a create's answer lost",
    noticed: 'all of the acquire on demand',
    recovered: '',
    measure: async ({ proxy, ...bench }) => {
      const pool = bench.pool({ poolSize: 0, engine: proxy.address });
      await (await pool.acquire()).destroy();
      proxy.on(CREATE, (call) => call.lose(), { times: 1 });
      return { noticed: await timed(() => pool.acquire()) };
    },
  },
];

/** One round on pools and a proxy of its own; afterwards the engine is as it was. */
async function round(engine, measure) {
  const pools = [];
  const proxy = await EngineProxy.start(engine.host);
  const pool = (options) => {
    const made = new ContainerPoolManager({ engine: engine.host, ...options });
    pools.push(made);
    return made;
  };
  try {
    return await measure({ engine, proxy, pool });
  } finally {
    await Promise.all(pools.map((made) => made.shutdown({ grace: 0 })));
    await proxy.close();
    await engine.removeContainers();
  }
}

/** `12 (40)`: the median, and the slowest. */
function shown(results, name) {
  const { p50, max } = summarize(results.map((result) => result[name]));
  return `${Math.round(p50)} (${Math.round(max)})`;
}

async function main() {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
  const rounds = Number(values.rounds);
  const engine = await OwnEngine.start();
  await ensureImages(engine, ['python:3.9-slim']);
  const facts = await describe(connect(engine), 'python:3.9-slim');
  const table = new Table({ head: ['fault', 'noticed, ms', 'recovered, ms'] });
  for (const { fault, noticed, recovered, measure } of SCENARIOS) {
    const results = [];
    for (let number = 0; number < rounds; number += 1) results.push(await round(engine, measure));
    table.push([
      fault,
      `${shown(results, 'noticed')}\n${noticed}`,
      recovered ? `${shown(results, 'recovered')}\n${recovered}` : '',
    ]);
    say(`${fault}: done, load ${load()}`);
  }
  say(table.toString());
  const { machine } = facts;
  say(
    `median (slowest) of ${rounds} rounds; Docker ${facts.engine.version}, ${machine.cpus} cores, Node.js ${machine.node}`,
  );
}

runMain(main);
