'use strict';

const { echo, hello } = require('../jobs');
const { quiet, shuffled } = require('../timing');

/** Two releases of Python, and an image without one. */
const IMAGES = { py39: 'python:3.9-slim', py311: 'python:3.11-slim', busybox: 'busybox:stable' };
const WITHOUT_PYTHON = 'busybox';

module.exports = {
  name: 'images',
  method: `Time to interactive by image: acquire, then print("hello"), or where the image has no Python
    (busybox) the command echo, which goes through the Docker engine's exec. One call at a time, on an
    engine at rest. Warm: from a full pool of 1. Cold: from a pool of size 0. All images and sides take turns
    in random order in each round.`,
  rounds: 4,
  sampled: false,
  seconds: 30,
  warmUp: 1,
  images: Object.values(IMAGES),
  metrics: Object.fromEntries(
    Object.entries(IMAGES).flatMap(([key, image]) => [
      [`${key}Warm`, `${image}, warm`],
      [`${key}Cold`, `${image}, cold`],
    ]),
  ),

  async run({ sides, open, rounds, attempt }) {
    const cases = [];
    try {
      for (const [key, image] of Object.entries(IMAGES)) {
        const job = key === WITHOUT_PYTHON ? echo : hello;
        for (const side of sides.filter((name) => name !== 'floor')) {
          for (const [kind, poolSize] of [
            ['Warm', 1],
            ['Cold', 0],
          ]) {
            const pool = await open(side, { image, poolSize });
            cases.push({ metric: `${key}${kind}`, side, pool, job });
          }
        }
      }
      const pools = cases.map(({ pool }) => pool);
      for await (const round of rounds()) {
        for (const { metric, side, pool, job } of shuffled(cases)) {
          await quiet(pools);
          let container;
          await attempt(round, metric, side, async () => {
            container = await pool.acquire();
            await job.runIn(container);
          });
          await container?.destroy();
        }
      }
    } finally {
      await Promise.all(cases.map(({ pool }) => pool.close()));
    }
  },
};
