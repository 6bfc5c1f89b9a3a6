'use strict';

/** What the README shows: the scenario, the metric, how a reader would call it. */
const SUMMARY = [
  ['execute', 'hello', '`execute(\'print("hello")\')`'],
  ['execute', 'toolCall', '`execute` of a tool call'],
  ['execute', 'command', "`executeCommand(['echo', 'hello'])`"],
  ['execute', 'run', '`acquire` to result (`run`)'],
  ['execute', 'destroy', '`destroy`'],
  ['ready', 'ready', 'create to ready'],
  ['sequential', 'warm', 'acquire to result, calls one after another'],
  ['staggered', 'warm', 'acquire to result, one call every 200 ms'],
  ['burst', 'warm', 'acquire to result, 100 calls at once on a pool of 2'],
  ['burst', 'warmTotal', 'all results of 100 calls at once'],
  ['sustained', 'rate', 'fresh containers a second, sustained'],
];

/** The ratios of medians that the README shows, and what one below 1 means. */
const SLOWER = {
  'baseline / scientist-pool': 'Slower than dockerode',
  'scientist-pool / local': 'Slower on the local engine than on Docker',
};

/** All of a run as Markdown, for a terminal. */
function textOf(report) {
  const { machine, scenarios, targets } = figuresOf(report, new Map());
  return [machine(), scenarios(), ...(report.targets.length > 0 ? [targets()] : [])].join('\n\n');
}

/**
 * The figures of a run as Markdown, by the name of their markers.
 *
 * @param {object} report
 * @param {Map<string, string>} plots name → how the page reaches it
 * @returns {Record<string, () => string>}
 */
function figuresOf(report, plots) {
  return {
    machine: () => machineText(report),
    summary: () => summaryText(report),
    latency: () => plotText('latency', plots),
    scenarios: () => report.scenarios.map((one) => scenarioText(one, plots)).join('\n\n'),
    targets: () => targetsText(report.targets),
    unflattering: () => unflatteringText(report),
  };
}

function machineText({ package: own, baseline, machine, engine, image, date, load }) {
  const gib = (machine.memoryBytes / 2 ** 30).toFixed(1);
  return [
    `${own.name} ${own.version} against a pool on dockerode ${baseline.dockerode}, ${date}`,
    `${machine.cpus} CPUs (${machine.cpuModel}), ${gib} GiB, ${machine.kernel}, node ${machine.node}`,
    `${engine.name} ${engine.version}, runc ${engine.runc ?? '?'}, ${engine.storageDriver}, cgroup ${engine.cgroup}; image ${image.name}`,
    `load average ${load.before} before, ${load.after} after`,
  ]
    .map((line) => `- ${line}`)
    .join('\n');
}

function summaryText(report) {
  const rows = SUMMARY.flatMap(([scenario, key, title]) => {
    const metric = metricIn(report, scenario, key);
    if (!metric) {
      return [];
    }
    const { baseline, 'scientist-pool': ours, local } = metric.sides;
    const cells = [baseline, ours, local].map((side) => amount(side, metric.unit));
    const ratios = Object.keys(SLOWER).map((name) => metric.ratios.find(({ of }) => of === name));
    return [[title, ...cells, ...ratios.map((ratio) => (ratio ? figure(ratio.value) : ''))]];
  });
  const { floor } = metricIn(report, 'execute', 'hello')?.sides ?? {};
  const {
    'scientist-pool': ours,
    plain,
    local,
    'system calls': calls,
  } = metricIn(report, 'ready', 'ready')?.sides ?? {};
  const remarks = [
    floor?.n &&
      `On Docker, a client that does nothing but write the job and read its end needs ${time(floor)} for the first row.`,
    ours?.n &&
      plain?.n &&
      `What a warm container costs there more than a plain one is its two interpreters: ${time(ours)} against ${time(plain)} of create and start.`,
    local?.n &&
      calls?.n &&
      `Bare system calls that make namespaces and start Python in them take ${time(calls)}; a container of the local engine ${time(local)}.`,
  ].filter(Boolean);
  const head = ['at p50', 'dockerode pool', 'on Docker', 'on `local`'];
  const figures = table([...head, 'dockerode / Docker', 'Docker / `local`'], rows);
  return [figures, remarks.join('\n')].filter(Boolean).join('\n\n');
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
    // The missed ones first.
    targets
      .toSorted((a, b) => a.met - b.met)
      .map((target) => [
        target.what,
        target.limit,
        withInterval(target),
        target.met ? 'met' : '**missed**',
      ]),
  );
}

/** Where a side of ours is slower beyond doubt than what it is compared with, and what failed. */
function unflatteringText({ scenarios }) {
  const slower = scenarios.flatMap(({ name, metrics }) =>
    metrics.flatMap(({ title, sides, ratios }) =>
      ratios
        .filter(({ of, interval }) => of in SLOWER && interval?.[1] < 1)
        .map(({ of }) => {
          const [other, ours] = of.split(' / ').map((side) => time(sides[side]));
          return `- ${SLOWER[of]}, ${name}: ${title}, ${ours} against ${other} at p50.`;
        }),
    ),
  );
  const failed = scenarios.flatMap((scenario) =>
    failuresOf(scenario).map((line) => `- Failed calls, ${scenario.name}: ${line}.`),
  );
  const lines = [...slower, ...failed];
  return lines.length > 0 ? lines.join('\n') : 'In this run there were none.';
}

/** A median in its unit. */
function amount(side, unit) {
  return unit === 'ms' ? time(side) : side?.n ? `${figure(side.p50)} ${unit}` : '';
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

/**
 * A metric's rows in a table, one for each side: its `cells` from the title to the p99, and a `ratio`, of which
 * there is always one less than there are sides.
 */
function rowsOf({ title, unit, sides, ratios }) {
  return Object.entries(sides).map(([side, of], at) => ({
    of,
    cells: [
      at === 0 ? [title, unit && `(${unit})`].filter(Boolean).join(' ') : '',
      side,
      callsText(of),
      ...(of.n > 0
        ? [
            figure(of.min),
            figure(of.p50),
            of.p50Interval ? range(of.p50Interval) : '',
            figure(of.p90),
            figure(of.p99),
          ]
        : Array(5).fill('')),
    ],
    ratio: ratios[at] ? `${ratios[at].of}: ${withInterval(ratios[at])}` : '',
  }));
}

/** How many samples there are, and of how many calls where some failed. */
function callsText({ n, calls, failed }) {
  return failed > 0 ? `${n} of ${calls}` : n;
}

/** What failed calls said, one side of a metric in a line. */
function failuresOf({ metrics }) {
  return metrics.flatMap(({ title, sides }) =>
    Object.entries(sides).flatMap(([side, { errors }]) =>
      errors.map(({ message, count }) => `${title}, ${side}: ${count} failed: ${message}`),
    ),
  );
}

function withInterval({ value, interval }) {
  return interval ? `${figure(value)} (${range(interval)})` : figure(value);
}

function range([low, high]) {
  return `${figure(low)} to ${figure(high)}`;
}

/** About three figures that count. */
function figure(value) {
  if (Number.isInteger(value) || Math.abs(value) >= 100) {
    return String(Math.round(value));
  }
  const digits = Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 3;
  return value.toFixed(digits);
}

/** A table whose columns stand below one another in the source, too. */
function table(head, rows) {
  const lines = [head, ...rows].map((cells) =>
    cells.map((cell) => String(cell).replaceAll('|', '\\|')),
  );
  const widths = head.map((_, at) => Math.max(3, ...lines.map((cells) => cells[at].length)));
  const text = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  const [first, ...others] = lines.map(text);
  return [first, text(widths.map((width) => '-'.repeat(width))), ...others].join('\n');
}

module.exports = { figuresOf, textOf };
