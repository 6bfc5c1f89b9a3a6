'use strict';

const { failuresOf, figure, headOf, rowsOf, withInterval } = require('./report');

/** What the README shows: the scenario, the metric, how a reader would call it. */
const SUMMARY = [
  ['execute', 'hello', '`execute(\'print("hello")\')`'],
  ['execute', 'toolCall', '`execute` of a tool call'],
  ['call', 'run', '`acquire` to result (`run`)'],
  ['execute', 'destroy', '`destroy`'],
  ['ready', 'ready', 'create to ready'],
  ['sequential', 'warm', 'acquire to result, 100 calls one after another'],
  ['staggered', 'warm', 'acquire to result, one call every 200 ms'],
  ['burst100', 'warm', 'acquire to result, 100 calls at once, 20 of them warm'],
];

/**
 * The figures of a run as Markdown, by the name of their markers.
 *
 * @param {object} report
 * @param {object} profile as `profile/switches.js` makes it
 * @param {Map<string, string>} plots name → how the page reaches it
 * @returns {Record<string, () => string>}
 */
function figuresOf(report, profile, plots) {
  return {
    machine: () => machineText(report),
    summary: () => summaryText(report),
    latency: () => plotText('latency', plots),
    scenarios: () => report.scenarios.map((one) => scenarioText(one, plots)).join('\n\n'),
    targets: () => targetsText(report.targets),
    unflattering: () => unflatteringText(report),
    profile: () => profileText(profile, plots),
  };
}

function machineText(report) {
  return headOf(report)
    .split('\n')
    .map((line) => `- ${line}`)
    .join('\n');
}

function summaryText(report) {
  const rows = SUMMARY.flatMap(([scenario, key, title]) => {
    const metric = metricIn(report, scenario, key);
    if (!metric) {
      return [];
    }
    const { baseline, 'scientist-pool': ours } = metric.sides;
    const ratio = ratioIn(metric);
    return [[title, time(baseline), time(ours), ratio ? figure(ratio.value) : '']];
  });
  const { floor } = metricIn(report, 'execute', 'hello')?.sides ?? {};
  const { 'scientist-pool': ours, plain } = metricIn(report, 'ready', 'ready')?.sides ?? {};
  const remarks = [
    ...(floor?.n
      ? [
          `A client that does nothing but write the job and read its end needs ${time(floor)} for the first row.`,
        ]
      : []),
    ...(ours?.n && plain?.n
      ? [
          `What a warm container costs more than a plain one is its two interpreters: ${time(ours)} against ${time(plain)} of create and start.`,
        ]
      : []),
  ];
  return [
    table(['at p50', 'dockerode pool', 'scientist-pool', 'ratio'], rows),
    ...(remarks.length > 0 ? [remarks.join('\n')] : []),
  ].join('\n\n');
}

function metricIn({ scenarios }, scenario, key) {
  return scenarios
    .find(({ name }) => name === scenario)
    ?.metrics.find((metric) => metric.key === key);
}

function plotText(name, plots) {
  return plots.has(name)
    ? `![${name}](${plots.get(name)})`
    : 'This run has no figures for the plot.';
}

function scenarioText(scenario, plots) {
  const { name, method, rounds, roundsAsked, seconds, loadBefore, loadAfter, error } = scenario;
  const cut = rounds < roundsAsked && !error ? ` of ${roundsAsked} asked for` : '';
  const rows = scenario.metrics.flatMap((metric) =>
    rowsOf(metric).map(({ of, cells, ratio }) => [
      ...cells,
      metric.unit === 'ms' ? percent(of.success) : '',
      ratio,
    ]),
  );
  return [
    `### ${name}`,
    method,
    `${rounds} round${rounds === 1 ? '' : 's'}${cut} in ${seconds.toFixed(0)} s; load average ${loadBefore} before, ${loadAfter} after.`,
    ...(error ? [`It failed: ${error.split('\n', 1)[0]}`] : []),
    ...(plots.has(name) ? [plotText(name, plots)] : []),
    table(
      ['', 'side', 'n', 'min', 'p50', '95 % of p50', 'p90', 'p99', 'succeeded', 'ratio of p50'],
      rows,
    ),
    ...failuresOf(scenario).map((line) => `- ${line}`),
  ].join('\n\n');
}

function targetsText(targets) {
  return table(
    ['target', 'limit', 'measured', ''],
    targets.map((target) => [
      target.what,
      target.limit,
      withInterval(target),
      target.met ? 'met' : '**missed**',
    ]),
  );
}

/** Where the package is slower than dockerode beyond doubt, what failed, and which targets are missed. */
function unflatteringText({ scenarios, targets }) {
  const slower = scenarios.flatMap(({ name, metrics }) =>
    metrics.flatMap((metric) => {
      const ratio = ratioIn(metric);
      const sure = ratio && (ratio.interval ? ratio.interval[1] : ratio.value) < 1;
      const { baseline, 'scientist-pool': ours } = metric.sides;
      return sure
        ? [
            `- Slower than dockerode, ${name}: ${metric.title}, ${time(ours)} against ${time(baseline)} at p50.`,
          ]
        : [];
    }),
  );
  const failed = scenarios.flatMap((scenario) =>
    failuresOf(scenario).map((line) => `- Failed calls, ${scenario.name}: ${line}.`),
  );
  const missed = targets
    .filter(({ met }) => !met)
    .map(
      (target) => `- Target missed: ${target.what}: ${withInterval(target)}, not ${target.limit}.`,
    );
  const lines = [...slower, ...failed, ...missed];
  return lines.length > 0 ? lines.join('\n') : 'In this run there were none.';
}

function profileText(profile, plots) {
  const { calls, wallUs, nobodyUs, nobodyShare, parts } = profile;
  const share = (value) => `${(value * 100).toFixed(0)} %`;
  return [
    `${calls} calls of print("hello"), ${profile.date.slice(0, 10)}, ${profile.engine.name} ${profile.engine.version}: ${wallUs} µs each at p50; load average ${profile.load.before} before, ${profile.load.after} after.`,
    table(
      ['', 'on a processor, µs', 'of the call', 'first ran after, µs'],
      [
        ...parts.map(({ who, cpuUs, share: of, firstUs }) => [
          who,
          cpuUs,
          share(of),
          firstUs ?? '',
        ]),
        ['nobody of these: wake-ups under way, a quota, a queue', nobodyUs, share(nobodyShare), ''],
      ],
    ),
    plotText('timeline', plots),
  ].join('\n\n');
}

/** How many times the baseline's median ours is. */
function ratioIn({ ratios }) {
  return ratios.find(({ of }) => of === 'baseline / scientist-pool');
}

function time(side) {
  if (!side?.n) {
    return '';
  }
  return side.p50 >= 1000 ? `${(side.p50 / 1000).toFixed(1)} s` : `${figure(side.p50)} ms`;
}

function percent({ value, interval: [low] }) {
  return value === 1 ? `100 % (over ${(low * 100).toFixed(0)} %)` : `${(value * 100).toFixed(0)} %`;
}

function table(head, rows) {
  const line = (cells) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

module.exports = { figuresOf };
