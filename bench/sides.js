'use strict';

const { DockerodePool } = require('../harness/dockerode-pool');
const { FloorContainer } = require('./floor');
const { until } = require('../harness/until');

/** How many containers the floor makes side by side: more do not come any faster. */
const FLOOR_CREATES = 3;
/** How long a pool may take to come to rest after a burst, ms. */
const PATIENCE = 120_000;

/** The names of what is compared, in the order in which it is shown. */
const SIDES = ['baseline', 'scientist-pool', 'floor'];

/**
 * The pools that are compared, behind one face:
 *
 * - `acquire()` resolves with a container that has `execute` and `destroy`;
 * - `size()` is the number of containers ready;
 * - `settled()` resolves when the pool is full and asks nothing of the engine;
 * - `close()` resolves when the engine holds nothing of it.
 *
 * @param {object} context
 * @param {import('dockerode')} context.docker
 * @param {import('./floor').PlainEngine} context.engine
 * @param {string} context.image
 * @param {Record<string, string>} context.labels
 */
function opener({ docker, engine, image, labels }) {
  const open = {
    baseline: ({ poolSize = 2, image: another = image } = {}) =>
      new BaselinePool(new DockerodePool({ docker, image: another, labels, poolSize })),
    'scientist-pool': ({ poolSize = 2, ...options } = {}) => {
      const ContainerPoolManager = require('..');
      return new MeasuredPool(new ContainerPoolManager({ image, labels, poolSize, ...options }));
    },
    floor: ({ poolSize = 2, image: another = image } = {}) =>
      new FloorPool(() => FloorContainer.create(engine, another, labels), poolSize),
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

  size() {
    return this.pool.pool.length;
  }
}

class BaselinePool extends RealPool {
  settled() {
    return until(() => this.pool.refills === 0, PATIENCE);
  }

  async close() {
    await this.settled();
    await this.pool.shutdown();
  }
}

class MeasuredPool extends RealPool {
  /** The shortest way to a result; the removal goes on behind it. */
  run(job) {
    return this.pool.run(job.script, { env: job.env, args: job.args });
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

/**
 * The floor has no pool: this keeps some of its containers at hand, made outside of what is timed. Whoever
 * comes when there is none waits in line, while a few are made side by side.
 */
class FloorPool {
  #create;
  #poolSize;
  #ready = [];
  #waiting = [];
  #creating = 0;
  #failure;

  constructor(create, poolSize) {
    this.#create = create;
    this.#poolSize = poolSize;
  }

  initialize() {
    this.#refill();
    return this.settled();
  }

  acquire() {
    const acquired = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#serve();
    this.#refill();
    return acquired;
  }

  size() {
    return this.#ready.length;
  }

  settled() {
    return until(() => {
      if (this.#failure) {
        throw this.#failure;
      }
      return this.#creating === 0;
    }, PATIENCE);
  }

  async close() {
    await this.settled();
    await Promise.all(this.#ready.splice(0).map((container) => container.destroy()));
  }

  #serve() {
    while (this.#ready.length > 0 && this.#waiting.length > 0) {
      this.#waiting.shift().resolve(this.#ready.shift());
    }
  }

  #refill() {
    while (
      this.#creating < FLOOR_CREATES &&
      this.#ready.length + this.#creating < this.#poolSize + this.#waiting.length
    ) {
      this.#creating += 1;
      this.#create()
        .then(
          (container) => this.#ready.push(container),
          (error) => {
            const first = this.#waiting.shift();
            if (first) first.reject(error);
            else this.#failure = error;
          },
        )
        .then(() => {
          this.#creating -= 1;
          this.#serve();
          if (!this.#failure) this.#refill();
        });
    }
  }
}

module.exports = { SIDES, opener };
