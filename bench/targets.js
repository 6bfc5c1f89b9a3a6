'use strict';

const { ATTACKS } = require('../harness/attacks');
const { BURSTS, SIZES } = require('./scenarios/burst');
const { median, medianDifference, medianRatio, p99 } = require('./statistics');

const OURS = 'scientist-pool';

/** Samples of one metric by side, or nothing where one of the sides was not measured. */
const pick =
  (scenario, metric, ...sides) =>
  (results) => {
    const lists = sides.map((side) => results.get(scenario)?.get(metric)?.get(side));
    return lists.every((list) => list?.length > 0) ? lists : null;
  };

const atLeast = (limit) => ({ text: `>= ${limit}`, met: (value) => value >= limit });
const atMost = (limit) => ({ text: `<= ${limit}`, met: (value) => value <= limit });

function executeTargets(metric, what) {
  return [
    {
      what: `${what}: baseline p50 / ours`,
      samples: pick('execute', metric, 'baseline', OURS),
      estimate: medianRatio,
      limit: atLeast(12),
    },
    {
      what: `${what}: our p99 / baseline p50`,
      samples: pick('execute', metric, OURS, 'baseline'),
      estimate: (ours, baseline) => ({ value: p99(ours) / median(baseline), interval: null }),
      limit: atMost(0.25),
    },
    {
      what: `${what}: our p50 / floor`,
      samples: pick('execute', metric, OURS, 'floor'),
      estimate: medianRatio,
      limit: atMost(1.5),
    },
  ];
}

/** One figure of ours by itself, as it is. */
function own(what, scenario, metric, side, statistic, limit) {
  return {
    what,
    samples: pick(scenario, metric, side),
    estimate: (samples) => ({ value: statistic(samples), interval: null }),
    limit,
  };
}

const COST_TARGETS = [
  own("require('scientist-pool'), p50, ms", 'cost', 'require', 'fresh', median, atMost(10)),
  own('warm acquire, p50, µs', 'cost', 'acquire', 'fake engine', median, atMost(100)),
  ...['fake engine', 'real engine'].flatMap((side) => [
    own(`a warm container, ${side}: memory, KiB`, 'cost', 'memory', side, median, atMost(64)),
    own(`all warm containers, ${side}: threads`, 'cost', 'threads', side, median, atMost(0)),
    own(`all warm, idle, ${side}: % of a core`, 'cost', 'idle', side, median, atMost(0.5)),
  ]),
  ...[OURS, `${OURS}, onStdout`].map((side) =>
    own(
      `20 writers: delay of the event loop, ${side}, p99, ms`,
      'writers',
      'p99',
      side,
      median,
      atMost(10),
    ),
  ),
];

function burstTargets() {
  const cases = SIZES.flatMap((poolSize) => BURSTS.map((burst) => ({ poolSize, burst })));
  const most = (values) => Math.max(...values);
  const none = { text: '= 0', met: (value) => value === 0 };
  return cases.flatMap(({ poolSize, burst }) => {
    const side = `${OURS}, ${burst} on ${poolSize}`;
    const what = `${burst} at once on a pool of ${poolSize}`;
    return [
      ...['sleeping', 'booted'].map((kind) =>
        own(`${what}: time / the ${kind} ceiling's`, 'burst', kind, side, median, atMost(1.1)),
      ),
      own(`${what}: calls overtaken`, 'burst', 'overtaken', side, most, none),
      own(`${what}: ready ones beyond the target`, 'burst', 'after', side, most, none),
    ];
  });
}

/** What the package is to reach: ratios and differences that hold on any machine, and its own cost. */
const TARGETS = [
  ...executeTargets('hello', 'execute print("hello")'),
  ...executeTargets('toolCall', 'execute tool call'),
  {
    what: 'acquire to result: baseline p50 / ours',
    samples: pick('call', 'run', 'baseline', OURS),
    estimate: medianRatio,
    limit: atLeast(10),
  },
  {
    what: 'a preloaded import costs at p50, ms',
    samples: pick('preload', 'execute', 'import, preloaded', 'no import'),
    estimate: medianDifference,
    limit: atMost(3),
  },
  {
    what: 'create to ready: our p50 / plain create + start',
    samples: pick('ready', 'ready', OURS, 'plain'),
    estimate: medianRatio,
    limit: atMost(1.15),
  },
  {
    what: '20 at once: our time / baseline',
    samples: pick('burst', 'total', `${OURS}, 20 on 2`, 'baseline, 20 on 2'),
    estimate: medianRatio,
    limit: atMost(0.75),
  },
  ...['sleeping', 'booted'].map((kind) => ({
    what: `sustained calls: our rate / the ceiling's, ${kind}`,
    samples: pick('sustained', 'rate', OURS, kind),
    estimate: medianRatio,
    limit: atLeast(0.95),
  })),
  ...burstTargets(),
  ...Object.keys(ATTACKS).map((name) => ({
    what: `beside a script that ${name}: our p99 / alone`,
    samples: pick('neighbour', 'execute', name, 'alone'),
    estimate: (beside, alone) => ({ value: p99(beside) / p99(alone), interval: null }),
    limit: atMost(2),
  })),
  ...COST_TARGETS,
];

/**
 * @param {Map<string, Map<string, Map<string, number[]>>>} results scenario → metric → side
 * @returns {{ what: string, limit: string, value: number, interval: [number, number] | null,
 *   met: boolean }[]} those targets for which there are figures
 */
function judge(results) {
  return TARGETS.flatMap(({ what, samples, estimate, limit }) => {
    const lists = samples(results);
    if (!lists) {
      return [];
    }
    const { value, interval } = estimate(...lists);
    return [{ what, limit: limit.text, value, interval, met: limit.met(value) }];
  });
}

module.exports = { judge };
