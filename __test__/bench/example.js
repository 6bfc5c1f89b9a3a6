'use strict';

const { successRate, summarize } = require('../../bench/statistics');

const side = (samples, failed = 0) => ({
  calls: samples.length + failed,
  failed,
  success: successRate(samples.length, samples.length + failed),
  errors: failed > 0 ? [{ message: 'it <broke> & ended | so', count: failed }] : [],
  ...summarize(samples),
  samples,
});

const metric = (key, title, sides) => ({ key, title, unit: 'ms', sides, ratios: [] });

/** What the bench writes as JSON, of a run with these scenarios: those with a plot, all sides in each. */
function example() {
  const sides = {
    baseline: side([50, 60, 70]),
    'scientist-pool': side([3, 4, 5], 1),
    local: side([1, 2, 3]),
    floor: side([2, 3, 4]),
  };
  const neighbours = { alone: side([4, 5, 6]), spins: side([6, 7, 8]) };
  const scenario = (name, ...metrics) => ({
    name,
    method: `What ${name} does.`,
    roundsAsked: 3,
    rounds: 3,
    seconds: 1,
    loadBefore: 0.1,
    loadAfter: 0.2,
    error: null,
    metrics,
  });
  const interactive = (name) =>
    scenario(
      name,
      metric('warm', 'time to interactive, warm', sides),
      metric('cold', 'time to interactive, cold', sides),
    );
  return {
    schemaVersion: 1,
    package: { name: 'scientist-pool', version: '1.2.3' },
    baseline: { dockerode: '5.0.1' },
    machine: { cpus: 2, cpuModel: 'any', memoryBytes: 2 ** 30, kernel: 'Linux', node: 'v20' },
    engine: { name: 'Docker', version: '20.10', storageDriver: 'overlay2', cgroup: 'v1' },
    image: { name: 'python:3.9-slim' },
    date: '2026-01-01T00:00:00.000Z',
    load: { before: 0.1, after: 0.2 },
    scenarios: [
      scenario('execute', metric('hello', 'execute print("hello")', sides)),
      interactive('sequential'),
      interactive('staggered'),
      interactive('burst'),
      scenario('neighbour', metric('execute', 'execute beside a script that', neighbours)),
      scenario('images', metric('py39Warm', 'python:3.9-slim, warm', sides)),
    ],
    targets: [],
  };
}

module.exports = { example };
