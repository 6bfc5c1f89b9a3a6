'use strict';

const { setTimeout: pause } = require('node:timers/promises');

const { hello } = require('../jobs');
const { Syscalls } = require('../syscalls');
const { shuffled } = require('../timing');

/** Every how many rounds the sides are made that no ratio needs. */
const OTHERS_EVERY = 4;
const OTHERS = ['baseline', 'floor'];
const BETWEEN_MS = 30;

module.exports = {
  name: 'ready',
  method: `One container at a time, with nothing else going on. "plain" is create + start of a sleeping
    container with the same limits and hardening, by bare calls; the package makes its
    container on demand, from a pool of size 0, and its time ends when the warm interpreter has said
    that it is ready, on either engine. Every ${OTHERS_EVERY}th round also the floor (the same container and supervisor by
    bare API calls) and the baseline (create + start by dockerode). "system calls" is what the local engine can't
    beat: util-linux's unshare makes the namespaces and executes the image's python3, until that has written a
    line; no limits, no filter. "run" is a whole call of print("hello") on such a pool of size 0.`,
  rounds: 200,
  sampled: true,
  seconds: 150,
  metrics: {
    ready: 'create to ready',
    run: 'run print("hello") on a pool of 0',
    remove: 'remove',
  },

  async run({ sides, open, rounds, attempt, floor, ...context }) {
    const makers = { plain: () => floor.sleeping() };
    const runners = {};
    const opened = [];
    try {
      for (const side of sides.filter((name) => name !== 'floor')) {
        const pool = await open(side, { poolSize: 0 });
        opened.push(pool);
        makers[side] = () => pool.acquire();
        runners[side] = async () => hello.check(await pool.run(hello));
      }
      if (sides.includes('floor')) makers.floor = () => floor.booted();
      if (sides.includes('local')) {
        const syscalls = await Syscalls.of(context);
        opened.push(syscalls);
        makers['system calls'] = () => syscalls.booted();
      }
      for await (const round of rounds()) {
        const names = Object.keys(makers).filter(
          (name) => !OTHERS.includes(name) || round % OTHERS_EVERY === 0,
        );
        for (const name of shuffled(names)) {
          const container = await attempt(round, 'ready', name, makers[name]);
          await pause(BETWEEN_MS);
          if (container) {
            await attempt(round, 'remove', name, () => container.destroy());
            await pause(BETWEEN_MS);
          }
          if (runners[name]) {
            await attempt(round, 'run', name, runners[name]);
            await pause(BETWEEN_MS);
          }
        }
      }
    } finally {
      await Promise.all(opened.map((one) => one.close()));
    }
  },
};
