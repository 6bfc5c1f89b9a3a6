'use strict';

const { once } = require('node:events');

const { ContainerPoolManager } = require('../..');
const { until } = require('../../harness/until');
const { DockerOutside } = require('./engines/docker');
const { KubernetesOutside } = require('./engines/kubernetes');
const { LocalOutside } = require('./engines/local');
const { holdLeases } = require('./leases');

const IMAGE = 'python:3.9-slim';
const NO_PYTHON = 'busybox:stable';

/** The OCI runtime that the local engine's containers run under, where a run asks for one. */
const RUNTIME = process.env.SCIENTIST_POOL_TEST_RUNTIME;

/** How long pools wait for containers, in milliseconds, where a machine is slower than their defaults are meant for. */
const PATIENCE = Number(process.env.SCIENTIST_POOL_TEST_PATIENCE) || undefined;

/** The engine under test, as the option `engine` names it; `npm test` starts one and sets it. */
function address() {
  const value = process.env.SCIENTIST_POOL_TEST_ENGINE;
  if (!value) throw new Error('SCIENTIST_POOL_TEST_ENGINE is not set; run these tests by npm test');
  return value;
}

/**
 * The engine under test as it is without the package, so that what this says can be held against what the
 * engine says. Each engine has a class for it, in a file of `engines/`:
 *
 * - `env`: the variables by which a process finds it;
 * - `idsOf(pool)`: the ids of the containers that there are of a pool of `Pools`;
 * - `image(name)`: what the option `image` is for the image that the tests call so;
 * - `takeImage(archive, name)`: an image of an archive of `docker save`: `image` is what the option `image` is for
 *   it, `forget()` takes it away again;
 * - `seesContainers`: whether it can tell which containers there are, which `idsOf` and `kill` take;
 * - `kill(id)`: ends a container from outside, at once;
 * - `limitsMemory`: whether its containers are held to a limit of memory as a whole;
 * - `traceOf(pid, label)`: what there is of a process, all of whose pools have that label, at this moment:
 *   `containers`: names of its containers; `parts`: the ids of the processes that it is made of, by what they
 *   are; `running()`: what runs of it by then; `left()`: what there is of it by then, running or not;
 * - `beginsAhead`: how many more containers a pool may have there than `idsOf` gives;
 * - `deaths`: which of those parts may be killed in one instant;
 * - `memory()`: bytes of memory that it has for containers;
 * - `showsLimits`: whether scripts see the control groups that they are in;
 * - `hasTerminals`: whether scripts can have terminals;
 * - `followsLinks`: whether it opens what is mounted by itself, by way of symbolic links;
 * - `hasFilter`: whether it has a system call filter of its own;
 * - `tellsSignals`: whether the end of a call beside another is told by the signal that it was;
 * - `interpreters`: how many a container has at most that wait, for nothing of a call's;
 * - `needsPython`: whether there are containers of images with Python alone;
 * - `keepsSizes`: whether folders in memory have no room beyond their size;
 * - `onTheWay`: less than so many MiB of what a container writes are held between it and a reader who waits;
 * - `hasInit`: whether a first process of its own runs commands, in an image without Python too;
 * - `forgetDerived(packages)`: takes away the images with packages whose names have that text in them;
 * - `removeImage(name)`: takes away one that was pulled;
 * - `keepsImages`: whether it keeps images by the names that the tests have for them; if so,
 *   `hasImage(name)`, `tagImage(name, other)`: of these.
 */
function outside() {
  const engine = address();
  if (engine.includes('://')) return new DockerOutside(engine);
  if (engine === 'local') return new LocalOutside(RUNTIME);
  if (engine === 'kubernetes') return new KubernetesOutside();
  throw new Error(`SCIENTIST_POOL_TEST_ENGINE: the tests know no engine "${engine}"`);
}

/** The pools of a test file; `afterEach(pools.close)` ends them all. */
class Pools {
  #open = [];
  #outside;

  /** `on`: gives the outside of the engine that the pools are on. */
  constructor(on = outside) {
    this.#outside = on;
  }

  /** A pool on the engine under test, with a label by which its containers are found. */
  make(options = {}) {
    const label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
    const { image = IMAGE, ...others } = options;
    const pool = holdLeases(
      new ContainerPoolManager({
        engine: address(),
        image: this.#outside().image(image),
        runtime: RUNTIME,
        acquireTimeout: PATIENCE,
        createTimeout: PATIENCE,
        ...others,
        labels: { 'test.pool': label },
      }),
    );
    pool.label = label;
    pool.seen = new Set();
    pool.on('created', ({ id }) => pool.seen.add(id));
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
    const engine = this.#outside();
    const left = await Promise.all(pools.map((pool) => engine.idsOf(pool)));
    expect(left.flat()).toEqual([]);
  };
}

/** The ids of the containers that the engine under test has of a pool. */
function idsOf(pool) {
  return outside().idsOf(pool);
}

/** Begins a pool on this host, as the next process does; gives the ids of what that removed. */
async function sweep() {
  const image = outside().image(IMAGE);
  const pool = new ContainerPoolManager({ engine: address(), image, poolSize: 0 });
  // The event may come after the end of the call that it is of.
  const told = once(pool, 'engine');
  await pool.initialize();
  const [{ swept }] = await told;
  await pool.shutdown();
  return swept;
}

/** Resolves when a pool has as many warm containers as it is to have, and nothing under way. */
function settled(pool, patience) {
  return until(() => {
    const { warm, creating, destroying } = pool.stats();
    return warm === pool.poolSize && creating === 0 && destroying === 0;
  }, patience);
}

module.exports = {
  IMAGE,
  NO_PYTHON,
  Pools,
  RUNTIME,
  address,
  idsOf,
  outside,
  settled,
  sweep,
  until,
};
