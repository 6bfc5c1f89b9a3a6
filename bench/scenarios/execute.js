'use strict';

const { hello, toolCall } = require('../jobs');
const { execute, quiet, shuffled, timed } = require('../timing');

const JOBS = { hello, toolCall };

module.exports = {
  name: 'execute',
  method: `Each round takes one container of each side for each script from a full pool, waits until
    every pool is full again and the engine at rest, executes one after another in random order,
    then destroys one after another in random order (those of print("hello") timed, the others
    together). A container runs one script and is never used again.`,
  rounds: { full: 200, quick: 20 },
  sampled: true,
  seconds: 280,
  metrics: {
    acquire: 'acquire, warm',
    hello: 'execute print("hello")',
    toolCall: 'execute the tool-call wrapper',
    destroy: 'destroy',
  },

  async run({ sides, open, rounds, record }) {
    const pools = new Map();
    try {
      for (const side of sides) {
        pools.set(side, await open(side, { poolSize: Object.keys(JOBS).length }));
      }
      for await (const round of rounds()) {
        await measureRound(pools, (metric, side, ms) => record(round, metric, side, ms));
      }
    } finally {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    }
  },
};

async function measureRound(pools, record) {
  const cases = [...pools].flatMap(([side, pool]) =>
    Object.keys(JOBS).map((name) => ({ side, pool, name })),
  );
  for (const one of shuffled(cases)) {
    const { value, ms } = await timed(() => one.pool.acquire());
    one.container = value;
    // The floor's containers come from an array: there is nothing to acquire.
    if (one.side !== 'floor') {
      record('acquire', one.side, ms);
    }
  }
  await quiet([...pools.values()]);
  for (const { side, container, name } of shuffled(cases)) {
    record(name, side, (await timed(() => execute(container, JOBS[name]))).ms);
  }
  for (const { side, container } of shuffled(cases.filter(({ name }) => name === 'hello'))) {
    record('destroy', side, (await timed(() => container.destroy())).ms);
  }
  const others = cases.filter(({ name }) => name !== 'hello');
  await Promise.all(others.map(({ container }) => container.destroy()));
}
