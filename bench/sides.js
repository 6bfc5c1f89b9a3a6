'use strict';

const { localImage } = require('../harness/archives');
const { DockerodePool } = require('../harness/dockerode-pool');
const { until } = require('../harness/until');

/** How long a pool may take to come to rest after a burst, ms. */
const PATIENCE = 120_000;

/** Those of this package, on either engine. */
const OWN = ['scientist-pool', 'local'];

/** The names of what is compared, in the order in which it is shown. */
const SIDES = ['baseline', ...OWN, 'floor'];

/**
 * The pools that are compared, behind one face:
 *
 * - `acquire()` resolves with a container that has `execute` and `destroy`;
 * - `run(job)`, of the real pools, is the shortest way to a result; the removal goes on behind it;
 * - `settled()` resolves when the pool is full and asks nothing of the engine;
 * - `close()` resolves when the engine holds nothing of it.
 *
 * @param {object} context
 * @param {import('dockerode')} context.docker
 * @param {import('./floor').Floor} context.floor
 * @param {string} context.image
 * @param {Record<string, string>} context.labels
 */
function opener({ docker, floor, image, labels }) {
  const own = (options) => {
    const ContainerPoolManager = require('..');
    return new MeasuredPool(new ContainerPoolManager({ poolSize: 2, ...options }));
  };
  const open = {
    baseline: ({ poolSize = 2, image: another = image } = {}) =>
      new BaselinePool(new DockerodePool({ docker, image: another, labels, poolSize })),
    'scientist-pool': (options) => own({ engine: 'docker', image, labels, ...options }),
    local: ({ image: another = image, ...options } = {}) =>
      own({ engine: 'local', image: localImage(another), ...options }),
    floor: ({ poolSize = 2 } = {}) => new FloorPool(() => floor.booted(), poolSize),
  };
  return async (side, options) => {
    const pool = open[side](options);
    await pool.initialize();
    return pool;
  };
}

/** What both real pools have in common. */
class RealPool {
  constructor(pool) {
    this.pool = pool;
  }

  initialize() {
    return this.pool.initialize();
  }

  acquire() {
    return this.pool.acquire();
  }
}

class BaselinePool extends RealPool {
  #removals = new Set();

  async run({ script, env }) {
    const container = await this.acquire();
    try {
      return await container.execute(script, env);
    } finally {
      const removal = container.destroy().finally(() => this.#removals.delete(removal));
      this.#removals.add(removal);
    }
  }

  async settled() {
    await Promise.all(this.#removals);
    await until(() => this.pool.refills === 0, PATIENCE);
  }

  async close() {
    await this.settled();
    await this.pool.shutdown();
  }
}

class MeasuredPool extends RealPool {
  run({ script, env }) {
    return this.pool.run(script, { env });
  }

  settled() {
    return until(() => {
      const { warm, creating, destroying } = this.pool.stats();
      return warm >= this.pool.poolSize && creating === 0 && destroying === 0;
    }, PATIENCE);
  }

  close() {
    return this.pool.shutdown();
  }
}

/** The floor has no pool: this makes some of its containers, outside of what is timed. */
class FloorPool {
  #create;
  #poolSize;
  #ready = [];

  constructor(create, poolSize) {
    this.#create = create;
    this.#poolSize = poolSize;
  }

  initialize() {
    return this.settled();
  }

  async acquire() {
    return this.#ready.pop();
  }

  async settled() {
    while (this.#ready.length < this.#poolSize) this.#ready.push(await this.#create());
  }

  async close() {
    await Promise.all(this.#ready.splice(0).map((container) => container.destroy()));
  }
}

module.exports = { OWN, SIDES, opener };
