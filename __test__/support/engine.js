'use strict';

const Dockerode = require('dockerode');

const { ContainerPoolManager } = require('../..');
const { until } = require('../../harness/until');

const IMAGE = 'python:3.9-slim';
const NO_PYTHON = 'busybox:stable';

/** The address of the engine under test; `npm test` starts one and sets it. */
function address() {
  const value = process.env.SCIENTIST_POOL_TEST_ENGINE;
  if (!value) throw new Error('SCIENTIST_POOL_TEST_ENGINE is not set; run these tests by npm test');
  return value;
}

/** A client of its own, so that what the package says can be held against what the engine says. */
function docker() {
  const url = new URL(address());
  return url.protocol === 'unix:'
    ? new Dockerode({ socketPath: url.pathname })
    : new Dockerode({ host: url.hostname, port: url.port });
}

/** The pools of a test file; `afterEach(pools.close)` ends them all. */
class Pools {
  #open = [];
  #client;

  /** `client`: gives one of the engine that the pools are on. */
  constructor(client = docker) {
    this.#client = client;
  }

  /** A pool on the engine under test, with a label by which its containers are found. */
  make(options = {}) {
    const label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
    const pool = new ContainerPoolManager({
      engine: address(),
      image: IMAGE,
      ...options,
      labels: { 'test.pool': label },
    });
    pool.label = label;
    this.#open.push(pool);
    return pool;
  }

  /** Leaves a pool to the test that has ended it. */
  forget(pool) {
    this.#open = this.#open.filter((other) => other !== pool);
  }

  close = async () => {
    const pools = this.#open.splice(0);
    await Promise.all(pools.map((pool) => pool.shutdown({ grace: 0 })));
    const client = this.#client();
    const left = await Promise.all(pools.map((pool) => containersOf(pool, client)));
    expect(left.flat()).toEqual([]);
  };
}

/** What an engine lists of a pool; `client`: of that engine. */
function containersOf(pool, client = docker()) {
  const filters = { label: [`test.pool=${pool.label}`] };
  return client.listContainers({ all: true, filters });
}

/** Begins a pool on this host, as the next process does; gives the ids of what that removed. */
async function sweep() {
  const pool = new ContainerPoolManager({ engine: address(), image: IMAGE, poolSize: 0 });
  const removed = [];
  pool.on('engine', ({ swept }) => removed.push(...swept));
  await pool.initialize();
  await pool.shutdown();
  return removed;
}

/** Resolves when a pool has as many warm containers as it is to have, and nothing under way. */
function settled(pool) {
  return until(() => {
    const { warm, creating, destroying } = pool.stats();
    return warm === pool.poolSize && creating === 0 && destroying === 0;
  });
}

module.exports = { IMAGE, NO_PYTHON, Pools, address, containersOf, docker, settled, sweep, until };
