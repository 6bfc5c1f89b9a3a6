'use strict';

const { load } = require('./machine');
const { opener } = require('./sides');

const WARM_UP_ROUNDS = 2;

/**
 * Runs the scenarios, each within its share of the time that is left. Those of many short rounds come last, and
 * fill what the others leave.
 *
 * @param {object} context what the scenarios are given: `docker`, `engine`, `image`, `labels`,
 *   and the `signal` that stops it all
 * @param {ReturnType<import('./options').readOptions>} options
 * @param {(scenario: object) => { update(fraction: number, note: string): void }} show
 * @returns {Promise<{ runs: object[], results: Map<string, Map<string, Map<string, number[]>>>,
 *   failures: Map<string, Map<string, Map<string, string[]>>> }>} samples, and what failed calls said,
 *   by scenario, metric and side
 */
async function measure(context, options, show) {
  const end = performance.now() + options.minutes * 60_000;
  const results = new Map();
  const failures = new Map();
  const runs = [];
  const planned = options.scenarios
    .filter(({ needs }) => !needs || options.sides.includes(needs))
    .toSorted((one, other) => one.rounds - other.rounds);
  for (const [index, scenario] of planned.entries()) {
    if (context.signal.aborted) {
      break;
    }
    const ahead = planned.slice(index).reduce((sum, { seconds }) => sum + seconds, 0);
    const left = Math.max(0, end - performance.now());
    const deadline = performance.now() + (left * scenario.seconds) / ahead;
    const samples = new Map();
    const failed = new Map();
    results.set(scenario.name, samples);
    failures.set(scenario.name, failed);
    const bar = show(scenario);
    runs.push(await runOne(scenario, context, options, { deadline, samples, failed, bar }));
  }
  const place = ({ scenario }) => options.scenarios.indexOf(scenario);
  runs.sort((one, other) => place(one) - place(other));
  return { runs, results, failures };
}

async function runOne(scenario, context, options, { deadline, samples, failed, bar }) {
  const asked = (scenario.sampled && options.n) || scenario.rounds;
  const warmUp = scenario.warmUp ?? WARM_UP_ROUNDS;
  const run = { scenario, asked, rounds: 0, loadBefore: load(), error: null };

  async function* rounds() {
    let longest = 0;
    for (let round = -warmUp; round < asked; round += 1) {
      const began = performance.now();
      if (began + longest > deadline) {
        if (round > 0) return;
        // One counted round there is in any case, so that no scenario goes without a figure.
        round = 0;
      }
      context.signal.throwIfAborted();
      yield round;
      longest = Math.max(longest, performance.now() - began);
      run.rounds = round + 1;
      bar.update((round + 1 + warmUp) / (asked + warmUp), `${Math.max(0, round + 1)} of ${asked}`);
    }
  }

  function record(round, metric, side, value) {
    if (round >= 0) {
      listIn(samples, metric, side).push(value);
    }
  }

  /**
   * Records the milliseconds the action takes, or that it failed, and resolves with its value or
   * `undefined`: a failed call is a figure, too.
   */
  async function attempt(round, metric, side, action) {
    const began = performance.now();
    try {
      const value = await action();
      record(round, metric, side, performance.now() - began);
      return value;
    } catch (error) {
      context.signal.throwIfAborted();
      if (round >= 0) {
        // A side of which every call failed is shown, too.
        listIn(samples, metric, side);
        listIn(failed, metric, side).push(firstLine(error));
      }
      return undefined;
    }
  }

  const started = performance.now();
  try {
    await scenario.run({
      ...context,
      open: opener(context),
      sides: options.sides,
      rounds,
      record,
      attempt,
    });
  } catch (error) {
    run.error = error;
  }
  run.seconds = (performance.now() - started) / 1000;
  run.loadAfter = load();
  return run;
}

/** The list of a metric and a side, made where there is none. */
function listIn(metrics, metric, side) {
  if (!metrics.has(metric)) {
    metrics.set(metric, new Map());
  }
  const sides = metrics.get(metric);
  if (!sides.has(side)) {
    sides.set(side, []);
  }
  return sides.get(side);
}

/** What an error says, without what differs from call to call. */
function firstLine(error) {
  return String(error.message)
    .split('\n', 1)[0]
    .replace(/\b[0-9a-f]{12,64}\b/g, '…');
}

module.exports = { measure };
