'use strict';

const { ATTACKS } = require('../harness/attacks');
const { median, medianRatio, p99 } = require('./statistics');

const OURS = 'scientist-pool';
const LOCAL = 'local';

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

/** How much more one side takes than the other, in the middle. */
function more(what, scenario, metric, { sides, limit }) {
  return {
    what,
    samples: pick(scenario, metric, ...sides),
    estimate: (one, other) => ({ value: median(one) - median(other), interval: null }),
    limit,
  };
}

const COST_TARGETS = [
  own("require('scientist-pool'), p50, ms", 'cost', 'require', 'fresh', median, atMost(10)),
  own('warm acquire, p50, µs', 'cost', 'acquire', 'warm', median, atMost(100)),
  own(
    'a warm container in this process: memory, KiB',
    'cost',
    'memory',
    'warm',
    median,
    atMost(64),
  ),
  own('all warm containers: threads', 'cost', 'threads', 'warm', median, atMost(0)),
  own('all warm, idle: % of a core', 'cost', 'idle', 'warm', median, atMost(0.5)),
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

/** The package on the local engine, beside itself on Docker. */
const LOCAL_TARGETS = [
  own('local: create to ready, p50, ms', 'ready', 'ready', LOCAL, median, atMost(5)),
  own('local: create to ready, p99, ms', 'ready', 'ready', LOCAL, p99, atMost(10)),
  own('local: run on a pool of 0, p50, ms', 'ready', 'run', LOCAL, median, atMost(8)),
  own('local: 100 at once on a pool of 2, ms', 'burst', 'warmTotal', LOCAL, median, atMost(1000)),
  {
    what: 'local: execute print("hello"), p50 / on Docker',
    samples: pick('execute', 'hello', LOCAL, OURS),
    estimate: medianRatio,
    limit: atMost(0.6),
  },
  {
    what: 'local: sustained rate / on Docker',
    samples: pick('sustained', 'rate', LOCAL, OURS),
    estimate: medianRatio,
    limit: atLeast(25),
  },
  {
    what: '100 at once on a pool of 2: on Docker / local',
    samples: pick('burst', 'warmTotal', OURS, LOCAL),
    estimate: medianRatio,
    limit: atLeast(8),
  },
  {
    what: 'local: create to ready, 200 beside / none',
    samples: pick('many', 'ready', `${LOCAL}, 200 beside`, `${LOCAL}, none beside`),
    estimate: medianRatio,
    limit: atMost(1.1),
  },
];

/** The network by name, beside the machine's own. */
const EGRESS_TARGETS = [OURS, LOCAL].flatMap((side) => [
  more(`an HTTPS request by the proxy, ${side}: p50 more than direct, ms`, 'egress', 'request', {
    ...{ sides: [side, 'direct'], limit: atMost(2) },
  }),
  ...[
    ['download', 'from'],
    ['upload', 'to'],
  ].map(([metric, way]) => ({
    what: `1 GiB ${way} a server by the proxy, ${side}: rate / direct`,
    samples: pick('egress', metric, 'direct', side),
    estimate: medianRatio,
    limit: atLeast(0.5),
  })),
  {
    what: `execute print("hello") with network.allow, ${side}: p50 / without`,
    samples: pick('egress', 'execute', `${side}, allow`, side),
    estimate: medianRatio,
    limit: atMost(1.1),
  },
]);

/** What agents' tools add. */
const TOOL_TARGETS = [
  own('local: a run of a session, p50, ms', 'session', 'run', LOCAL, median, atMost(1.5)),
  more('local: with a mount: create to ready, p50, ms more', 'mounts', 'ready', {
    ...{ sides: ['with one', 'without a mount'], limit: atMost(1) },
  }),
  more('local: with pandas imported: run, p50, ms more', 'packages', 'run', {
    ...{ sides: [`${LOCAL}, pandas imported`, `${LOCAL}, plain`], limit: atMost(3) },
  }),
  ...[OURS, LOCAL].map((side) => ({
    what: `pandas installed, ${side}: derived image / pip alone`,
    samples: pick('packages', 'install', side, `pip alone, ${side}`),
    estimate: medianRatio,
    limit: atMost(1.2),
  })),
];

/** What the package is to reach: ratios and differences that hold on any machine, and its own cost. */
const TARGETS = [
  ...executeTargets('hello', 'execute print("hello")'),
  ...executeTargets('toolCall', 'execute tool call'),
  {
    what: 'acquire to result: baseline p50 / ours',
    samples: pick('execute', 'run', 'baseline', OURS),
    estimate: medianRatio,
    limit: atLeast(10),
  },
  {
    what: 'create to ready: our p50 / plain create + start',
    samples: pick('ready', 'ready', OURS, 'plain'),
    estimate: medianRatio,
    limit: atMost(1.15),
  },
  {
    what: '100 at once on a pool of 2: our time / baseline',
    samples: pick('burst', 'warmTotal', OURS, 'baseline'),
    estimate: medianRatio,
    limit: atMost(0.75),
  },
  ...LOCAL_TARGETS,
  ...[OURS, LOCAL].flatMap((side) =>
    Object.keys(ATTACKS).map((name) => ({
      what: `${side}, beside a script that ${name}: p99 / alone`,
      samples: pick('neighbour', 'execute', `${side}, ${name}`, `${side}, alone`),
      estimate: (beside, alone) => ({ value: p99(beside) / p99(alone), interval: null }),
      limit: atMost(2),
    })),
  ),
  ...EGRESS_TARGETS,
  ...COST_TARGETS,
  ...TOOL_TARGETS,
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
