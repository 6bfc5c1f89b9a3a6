'use strict';

const Table = require('cli-table3');

const { SIDES } = require('./sides');
const { medianRatio, successRate, summarize } = require('./statistics');

/** Of the JSON: goes up when a reader of the one before would misread it. */
const SCHEMA_VERSION = 1;

/**
 * Everything that was measured, as plain data.
 *
 * @param {Awaited<ReturnType<import('./measure').measure>>} measured
 * @param {object} facts from `machine.js`, and when and how it was run
 * @param {ReturnType<import('./targets').judge>} targets
 */
function reportOf({ runs, results, failures }, facts, targets) {
  return {
    schemaVersion: SCHEMA_VERSION,
    ...facts,
    scenarios: runs.map((run) => ({
      name: run.scenario.name,
      method: run.scenario.method.replace(/\s+/g, ' '),
      roundsAsked: run.asked,
      rounds: run.rounds,
      seconds: run.seconds,
      loadBefore: run.loadBefore,
      loadAfter: run.loadAfter,
      error: run.error && String(run.error.stack),
      metrics: metricsOf(
        run.scenario.metrics,
        results.get(run.scenario.name),
        failures.get(run.scenario.name),
      ),
    })),
    targets,
  };
}

function metricsOf(definitions, samples, failures) {
  return Object.entries(definitions)
    .filter(([key]) => samples.has(key))
    .map(([key, definition]) => {
      const { title, unit } =
        typeof definition === 'string' ? { title: definition, unit: 'ms' } : definition;
      const sides = new Map([...samples.get(key)].sort(([a], [b]) => place(a) - place(b)));
      return {
        key,
        title,
        unit,
        sides: Object.fromEntries(
          [...sides].map(([side, list]) => [
            side,
            sideOf(list, failures.get(key)?.get(side) ?? []),
          ]),
        ),
        // Of times only: a ratio of counts says nothing, and one of rates says the same again.
        ratios: unit === 'ms' ? ratiosOf(sides) : [],
      };
    });
}

/** What one side gave: how many calls succeeded, and the figures of those. */
function sideOf(samples, errors) {
  const calls = samples.length + errors.length;
  return {
    calls,
    failed: errors.length,
    success: successRate(samples.length, calls),
    errors: countsOf(errors),
    ...(samples.length > 0 ? summarize(samples) : { n: 0 }),
    samples,
  };
}

/** How often each message came, the most frequent first. */
function countsOf(messages) {
  const counts = new Map();
  for (const message of messages) {
    counts.set(message, (counts.get(message) ?? 0) + 1);
  }
  return [...counts]
    .map(([message, count]) => ({ message, count }))
    .sort((one, other) => other.count - one.count);
}

/** The sides compared come in their order, variants of one side behind them as they were met. */
function place(side) {
  const at = SIDES.indexOf(side);
  return at < 0 ? SIDES.length : at;
}

/** Ratios of medians: the baseline's and the plain engine's to ours, and ours to the floor's. */
function ratiosOf(sides) {
  const pairs = [
    ['baseline', 'scientist-pool'],
    ['scientist-pool', 'floor'],
    ['scientist-pool', 'plain'],
  ];
  return pairs
    .filter((pair) => pair.every((side) => sides.get(side)?.length > 0))
    .map(([above, below]) => ({
      of: `${above} / ${below}`,
      ...medianRatio(sides.get(above), sides.get(below)),
    }));
}

/**
 * The report as JSON: five figures that count of each number, which is finer than any clock here, and the
 * samples of a side on one line.
 */
function jsonOf(report) {
  const round = (_key, value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  const lists = /\[[\d\s.,e+-]*\]/g;
  return `${JSON.stringify(report, round, 1).replace(lists, (list) => list.replace(/\s+/g, ' '))}\n`;
}

/** The report as text for a terminal. */
function textOf(report) {
  return [
    headOf(report),
    ...report.scenarios.map(scenarioText),
    ...(report.targets.length > 0 ? [targetsText(report.targets)] : []),
  ].join('\n\n');
}

function headOf({ package: own, baseline, machine, engine, image, date, load }) {
  const gib = (machine.memoryBytes / 2 ** 30).toFixed(1);
  return [
    `${own.name} ${own.version} against a pool on dockerode ${baseline.dockerode}, ${date}`,
    `${machine.cpus} CPUs (${machine.cpuModel}), ${gib} GiB, ${machine.kernel}, node ${machine.node}`,
    `${engine.name} ${engine.version}, runc ${engine.runc ?? '?'}, ${engine.storageDriver}, cgroup ${engine.cgroup}; image ${image.name}`,
    `load average ${load.before} before, ${load.after} after`,
  ].join('\n');
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

function scenarioText(scenario) {
  const table = new Table({
    head: ['', 'side', 'n', 'min', 'p50', '95 % of p50', 'p90', 'p99', 'ratio of p50'],
    colAligns: ['left', 'left', ...Array(6).fill('right'), 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const metric of scenario.metrics) {
    for (const { cells, ratio } of rowsOf(metric)) table.push([...cells, ratio]);
  }
  const cut = scenario.rounds < scenario.roundsAsked && !scenario.error;
  return [
    `${scenario.name}: ${scenario.rounds} round${scenario.rounds === 1 ? '' : 's'} in ${scenario.seconds.toFixed(0)} s` +
      (cut ? `, cut short by the time limit (${scenario.roundsAsked} were asked for)` : ''),
    wrapped(scenario.method),
    ...(scenario.error ? [`FAILED: ${scenario.error}`] : []),
    ...(table.length > 0 ? [table.toString()] : []),
    ...failuresOf(scenario),
  ].join('\n');
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

function targetsText(targets) {
  const table = new Table({
    head: ['target', 'limit', 'measured', ''],
    style: { head: [], border: [], compact: true },
  });
  for (const target of targets) {
    table.push([target.what, target.limit, withInterval(target), target.met ? 'met' : 'MISSED']);
  }
  return table.toString();
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

function wrapped(text, width = 100) {
  return text.split(' ').reduce((lines, word) => {
    const at = lines.lastIndexOf('\n') + 1;
    return lines.length - at + word.length >= width ? `${lines}\n${word}` : `${lines} ${word}`;
  });
}

module.exports = {
  SCHEMA_VERSION,
  reportOf,
  jsonOf,
  textOf,
  headOf,
  rowsOf,
  failuresOf,
  withInterval,
  figure,
};
