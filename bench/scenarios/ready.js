'use strict';

const { setTimeout: pause } = require('node:timers/promises');

const { DockerodePool } = require('../../harness/dockerode-pool');
const { shuffled } = require('../timing');

/** Every how many rounds the sides are made that no ratio needs. */
const OTHERS_EVERY = 4;
const BETWEEN_MS = 30;

module.exports = {
  name: 'ready',
  method: `One container at a time, with nothing else going on. "plain" is create + start of a sleeping
    container with the same limits and hardening, by bare calls; the package makes its
    container on demand, from a pool of size 0, and its time ends when the warm interpreter has said
    that it is ready. Every ${OTHERS_EVERY}th round also the floor (the same container and supervisor by bare API
    calls) and the baseline (create + start by dockerode).`,
  rounds: { full: 200, quick: 20 },
  sampled: true,
  seconds: 130,
  metrics: { ready: 'create to ready', remove: 'remove' },

  async run({ sides, open, rounds, attempt, docker, floor, image, labels }) {
    const pool = sides.includes('scientist-pool')
      ? await open('scientist-pool', { poolSize: 0 })
      : null;
    const onDemand = new DockerodePool({ docker, image, labels, poolSize: 0 });
    const makers = {
      plain: () => floor.sleeping(),
      baseline: () => onDemand.acquire(),
      'scientist-pool': () => pool.acquire(),
      floor: () => floor.booted(),
    };
    try {
      for await (const round of rounds()) {
        const names = Object.keys(makers).filter(
          (name) =>
            name === 'plain' ||
            (sides.includes(name) && (name === 'scientist-pool' || round % OTHERS_EVERY === 0)),
        );
        for (const name of shuffled(names)) {
          const container = await attempt(round, 'ready', name, makers[name]);
          await pause(BETWEEN_MS);
          if (container) {
            await attempt(round, 'remove', name, () => container.destroy());
            await pause(BETWEEN_MS);
          }
        }
      }
    } finally {
      await pool?.close();
    }
  },
};
