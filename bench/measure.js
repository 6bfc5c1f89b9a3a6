'use strict';

const { load } = require('./machine');
const { opener } = require('./sides');

const WARM_UP_ROUNDS = 2;

/**
 * Runs the scenarios, each within its share of the time that is left.
 *
 * @param {object} context what the scenarios are given: `docker`, `engine`, `image`, `labels`,
 *   and the `signal` that stops it all
 * @param {ReturnType<import('./options').readOptions>} options
 * @param {(scenario: object) => { update(fraction: number, note: string): void }} show
 * @returns {Promise<{ runs: object[], results: Map<string, Map<string, Map<string, number[]>>> }>}
 */
async function measure(context, options, show) {
  const end = performance.now() + options.minutes * 60_000;
  const results = new Map();
  const runs = [];
  const planned = options.scenarios.filter(({ needs }) => !needs || options.sides.includes(needs));
  for (const [index, scenario] of planned.entries()) {
    if (context.signal.aborted) {
      break;
    }
    const ahead = planned.slice(index).reduce((sum, { seconds }) => sum + seconds, 0);
    const left = Math.max(0, end - performance.now());
    const deadline = performance.now() + (left * scenario.seconds) / ahead;
    const samples = new Map();
    results.set(scenario.name, samples);
    runs.push(await runOne(scenario, context, options, { deadline, samples, bar: show(scenario) }));
  }
  return { runs, results };
}

async function runOne(scenario, context, options, { deadline, samples, bar }) {
  const { full, quick } = scenario.rounds;
  const asked = (scenario.sampled && options.n) || (options.quick ? quick : full);
  const warmUp = scenario.warmUp ?? WARM_UP_ROUNDS;
  const run = { scenario, asked, rounds: 0, loadBefore: load(), error: null };

  async function* rounds() {
    for (let round = -warmUp; round < asked; round += 1) {
      // One counted round there is in any case, so that no scenario goes without a figure.
      if (round > 0 && performance.now() > deadline) {
        return;
      }
      context.signal.throwIfAborted();
      yield round;
      run.rounds = round + 1;
      bar.update((round + 1 + warmUp) / (asked + warmUp), `${Math.max(0, round + 1)} of ${asked}`);
    }
  }

  function record(round, metric, side, value) {
    if (round < 0) {
      return;
    }
    if (!samples.has(metric)) {
      samples.set(metric, new Map());
    }
    const sides = samples.get(metric);
    if (!sides.has(side)) {
      sides.set(side, []);
    }
    sides.get(side).push(value);
  }

  const started = performance.now();
  try {
    await scenario.run({
      ...context,
      open: opener(context),
      sides: options.sides,
      rounds,
      record,
    });
  } catch (error) {
    run.error = error;
  }
  run.seconds = (performance.now() - started) / 1000;
  run.loadAfter = load();
  return run;
}

module.exports = { measure };
