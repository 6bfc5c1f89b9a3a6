'use strict';

const { echo, hello, toolCall } = require('../jobs');
const { quiet, shuffled } = require('../timing');

/** Every how many rounds the command and a whole call are made, neither of which the floor has. */
const OTHERS_EVERY = 4;
const JOBS = { hello, toolCall, command: echo };

module.exports = {
  name: 'execute',
  method: `Each round takes one container of each side for each script from a full pool, waits until every pool is
    full again and the engines at rest, executes one after another in random order, then destroys one after
    another in random order (those of print("hello") timed, the others together). A container runs one thing and
    is never used again. Every ${OTHERS_EVERY}th round also the command, and a whole call from a full pool: run() of the
    package, acquire and execute of the baseline.`,
  rounds: 200,
  sampled: true,
  seconds: 280,
  metrics: {
    acquire: 'acquire, warm',
    hello: 'execute print("hello")',
    toolCall: 'execute the tool-call wrapper',
    command: "executeCommand(['echo', 'hello'])",
    run: 'run the tool-call wrapper: acquire to result',
    destroy: 'destroy',
  },

  async run({ sides, open, rounds, attempt }) {
    const pools = new Map();
    try {
      for (const side of sides) {
        pools.set(side, await open(side, { poolSize: Object.keys(JOBS).length }));
      }
      for await (const round of rounds()) {
        const others = round % OTHERS_EVERY === 0 ? sides.filter((side) => side !== 'floor') : [];
        await measureRound(pools, others, (...call) => attempt(round, ...call));
        for (const side of shuffled(others)) {
          await quiet([...pools.values()]);
          const run = async () => toolCall.check(await pools.get(side).run(toolCall));
          await attempt(round, 'run', side, run);
        }
      }
    } finally {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    }
  },
};

async function measureRound(pools, others, attempt) {
  const cases = [...pools].flatMap(([side, pool]) =>
    Object.keys(JOBS)
      .filter((name) => name !== 'command' || others.includes(side))
      .map((name) => ({ side, pool, name })),
  );
  for (const one of shuffled(cases)) {
    const acquire = () => one.pool.acquire();
    // The floor's containers come from an array: there is nothing to acquire.
    one.container = await (one.side === 'floor'
      ? acquire()
      : attempt('acquire', one.side, acquire));
  }
  const held = cases.filter(({ container }) => container);
  await quiet([...pools.values()]);
  for (const { side, container, name } of shuffled(held)) {
    await attempt(name, side, () => JOBS[name].runIn(container));
  }
  for (const { side, container } of shuffled(held.filter(({ name }) => name === 'hello'))) {
    await attempt('destroy', side, () => container.destroy());
  }
  const rest = held.filter(({ name }) => name !== 'hello');
  await Promise.all(rest.map(({ container }) => container.destroy()));
}
