'use strict';

const { setTimeout: pause } = require('node:timers/promises');

const { toolCall } = require('../jobs');
const { callInSteps, onFullPools } = require('../timing');

const CALLS = 20;
const SETTLE_MS = 2000;

module.exports = {
  name: 'storm',
  method: `${CALLS} tool calls (acquire, execute, destroy) started at once on a pool of 2 that is full at the
    start; the sides take turns in random order, each with a pool of its own. The pool's size is
    read when its refill has ended, ${SETTLE_MS / 1000} s after the last call at the earliest.`,
  rounds: { full: 4, quick: 1 },
  warmUp: 0,
  seconds: 60,
  metrics: {
    total: `${CALLS} calls at once, all done`,
    call: 'one call among them',
    size: { title: 'ready containers afterwards', unit: '' },
  },

  async run({ sides, open, rounds, record, attempt }) {
    await onFullPools({ sides, open, rounds }, async (round, side, pool) => {
      const started = performance.now();
      const call = () => attempt(round, 'call', side, () => callInSteps(pool, toolCall));
      await Promise.all(Array.from({ length: CALLS }, call));
      record(round, 'total', side, performance.now() - started);
      await pause(SETTLE_MS);
      await pool.settled();
      record(round, 'size', side, pool.size());
    });
  },
};
