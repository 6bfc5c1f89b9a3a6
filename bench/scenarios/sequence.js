'use strict';

const { toolCall } = require('../jobs');
const { callInSteps, onFullPools } = require('../timing');

const CALLS = 20;

module.exports = {
  name: 'sequence',
  method: `${CALLS} tool calls (acquire, execute, destroy) one after another without a pause, on a pool of 2
    that is full at the start; the sides take turns in random order.`,
  rounds: { full: 3, quick: 1 },
  warmUp: 0,
  seconds: 35,
  metrics: {
    total: `${CALLS} calls one after another, all done`,
    call: 'one call among them',
    rate: { title: 'throughput', unit: 'calls/s' },
  },

  async run({ sides, open, rounds, record }) {
    await onFullPools({ sides, open, rounds }, async (round, side, pool) => {
      const started = performance.now();
      for (let call = 0; call < CALLS; call += 1) {
        record(round, 'call', side, (await callInSteps(pool, toolCall)).wholeMs);
      }
      const totalMs = performance.now() - started;
      record(round, 'total', side, totalMs);
      record(round, 'rate', side, (CALLS * 1000) / totalMs);
    });
  },
};
