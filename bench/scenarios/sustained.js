'use strict';

const { toolCall } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const CLIENTS = 8;
const LEAD_MS = 2000;
const MEASURE_MS = 5000;

module.exports = {
  name: 'sustained',
  method: `${CLIENTS} clients, each of which makes one tool call after another, on a pool of 2 without a deadline:
    fresh containers, created, used and removed. Counted are the calls that end in ${MEASURE_MS / 1000} s from the third
    second on. All sides in random order.`,
  rounds: 2,
  warmUp: 0,
  seconds: 60,
  metrics: {
    rate: { title: 'containers made, used and removed', unit: '/s' },
    call: 'one call among them, acquire to result',
  },

  async run({ sides, open, rounds, record, signal }) {
    for await (const round of rounds()) {
      for (const side of shuffled(sides.filter((name) => name !== 'floor'))) {
        const pool = await open(side, { acquireTimeout: 0 });
        try {
          await quiet([pool]);
          const from = performance.now() + LEAD_MS;
          const until = from + MEASURE_MS;
          let calls = 0;
          const client = async () => {
            while (performance.now() < until) {
              signal.throwIfAborted();
              const asked = performance.now();
              toolCall.check(await pool.run(toolCall));
              const answered = performance.now();
              if (answered >= from && answered < until) {
                calls += 1;
                record(round, 'call', side, answered - asked);
              }
            }
          };
          await Promise.all(Array.from({ length: CLIENTS }, client));
          record(round, 'rate', side, (calls * 1000) / MEASURE_MS);
        } finally {
          await pool.close();
        }
      }
    }
  },
};
