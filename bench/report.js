'use strict';

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
      const sides = new Map(
        [...samples.get(key)].sort(
          ([a], [b]) => place(a) - place(b) || a.localeCompare(b, 'en', { numeric: true }),
        ),
      );
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

/** The sides compared come in their order; variants of one side come behind them, by name. */
function place(side) {
  const at = SIDES.indexOf(side);
  return at < 0 ? SIDES.length : at;
}

/** Ratios of medians: the baseline's to ours, ours to the local engine's, and each to what it can't beat. */
function ratiosOf(sides) {
  const pairs = [
    ['baseline', 'scientist-pool'],
    ['scientist-pool', 'local'],
    ['scientist-pool', 'floor'],
    ['scientist-pool', 'plain'],
    ['local', 'system calls'],
    ['scientist-pool', 'direct'],
    ['local', 'direct'],
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

module.exports = { SCHEMA_VERSION, reportOf, jsonOf };
