'use strict';

const { medianRatio, successRate, summarize } = require('../../bench/statistics');

const upTo = (n) => Array.from({ length: n }, (_, at) => at + 1);

describe('the statistics of the bench', () => {
  test('a summary has the least, the median and the tail', () => {
    expect(summarize(upTo(101))).toMatchObject({
      n: 101,
      min: 1,
      p50: 51,
      p90: 91,
      p99: 100,
    });
  });

  test('the interval of a median encloses it, and is narrower with more samples', () => {
    const few = summarize(upTo(20));
    const width = ({ p50, p50Interval: [low, high] }) => {
      expect(low).toBeLessThanOrEqual(p50);
      expect(high).toBeGreaterThanOrEqual(p50);
      return (high - low) / p50;
    };
    expect(width(summarize(upTo(2000)))).toBeLessThan(width(few));
  });

  test('below ten samples there is no interval', () => {
    expect(summarize(upTo(9)).p50Interval).toBeNull();
    expect(medianRatio(upTo(9), upTo(100)).interval).toBeNull();
  });

  test('a ratio of medians has the interval of both', () => {
    const ratio = medianRatio(
      upTo(100).map((one) => one + 1000),
      upTo(100).map((one) => one + 100),
    );
    expect(ratio.value).toBeCloseTo(1050.5 / 150.5);
    expect(ratio.interval[0]).toBeLessThan(ratio.value);
    expect(ratio.interval[1]).toBeGreaterThan(ratio.value);
  });

  // Wilson's interval, worked out apart from this code.
  test.each([
    [100, 100, 0.9630065, 1],
    [95, 100, 0.8882498, 0.9784563],
    [0, 10, 0, 0.2775328],
  ])('%i of %i calls succeeded: from %f to %f', (successes, calls, low, high) => {
    const { value, interval } = successRate(successes, calls);
    expect(value).toBe(successes / calls);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });
});
