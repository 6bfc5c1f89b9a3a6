'use strict';

const { best } = require('../ceiling');
const { toolCall } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const SIZES = [2, 20];
const BURSTS = [20, 100, 500];
/** A larger burst the baseline answers by as many creates at once, which says nothing of it. */
const BASELINE_UP_TO = 100;
const TRY_MS = 5000;

module.exports = {
  SIZES,
  BURSTS,
  name: 'burst',
  method: `${BURSTS.join(', ')} tool calls (acquire, execute, and the removal behind it) started at once on pools
    of ${SIZES.join(' and ')} that are full at the start, without a deadline; the baseline up to ${BASELINE_UP_TO}. "of the ceiling's
    time" is the time until the last result, divided by (burst - warm) / ceiling: the rate of bare
    create + start + remove with the best number of workers, in the same run, of containers that
    "sleep" and of those with the package's interpreter "booted". Overtaken are calls that got a
    container before one that asked earlier.`,
  rounds: { full: 1, quick: 1 },
  warmUp: 0,
  seconds: 480,
  metrics: {
    total: 'all results are there',
    call: 'one call, acquire to result',
    sleeping: { title: "of the sleeping ceiling's time", unit: '×' },
    booted: { title: "of the booted ceiling's time", unit: '×' },
    overtaken: { title: 'calls that were overtaken', unit: '' },
    after: { title: 'ready containers afterwards, beyond the target', unit: '' },
  },

  async run({ sides, open, rounds, record, ...context }) {
    const ceilings = {
      sleeping: await best(context, 'sleeping', TRY_MS),
      booted: await best(context, 'booted', TRY_MS),
    };
    for await (const round of rounds()) {
      const cases = SIZES.flatMap((poolSize) =>
        BURSTS.flatMap((burst) =>
          sides
            .filter(
              (side) =>
                side === 'scientist-pool' || (side === 'baseline' && burst <= BASELINE_UP_TO),
            )
            .map((side) => ({ poolSize, burst, side })),
        ),
      );
      for (const one of shuffled(cases)) {
        context.signal.throwIfAborted();
        await measure(one, open, ceilings, (metric, value) =>
          record(round, metric, `${one.side}, ${one.burst} on ${one.poolSize}`, value),
        );
      }
    }
  },
};

async function measure({ poolSize, burst, side }, open, ceilings, record) {
  const unlimited = side === 'scientist-pool' ? { acquireTimeout: 0 } : {};
  const pool = await open(side, { poolSize, ...unlimited });
  try {
    await quiet([pool]);
    const warm = pool.size();
    const started = performance.now();
    const served = [];
    const removals = [];
    const times = await Promise.all(
      Array.from({ length: burst }, async (_, place) => {
        const container = await pool.acquire();
        served.push(place);
        try {
          await toolCall.runIn(container);
          return performance.now() - started;
        } finally {
          removals.push(container.destroy());
        }
      }),
    );
    const totalMs = Math.max(...times);
    record('total', totalMs);
    for (const ms of times) record('call', ms);
    for (const [kind, { rate }] of Object.entries(ceilings)) {
      if (burst > warm) record(kind, totalMs / (((burst - warm) * 1000) / rate));
    }
    record(
      'overtaken',
      served.filter((place, at) => place < Math.max(-1, ...served.slice(0, at))).length,
    );
    await Promise.all(removals);
    await quiet([pool]);
    record('after', pool.size() - poolSize);
  } finally {
    await pool.close();
  }
}
