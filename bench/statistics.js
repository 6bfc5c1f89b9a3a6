'use strict';

const { quantile, quantileSorted, sampleWithReplacement } = require('simple-statistics');

const RESAMPLES = 2000;
const CONFIDENCE = 0.95;
/** 95 % of the normal distribution lie within so many deviations of its mean. */
const Z = 1.959964;
/** Below this, resampling says nothing about the spread. */
const LEAST_FOR_INTERVAL = 10;

/**
 * What a table shows of a list of samples, in their unit.
 *
 * @param {number[]} samples
 * @returns {{ n: number, min: number, p50: number, p50Interval: [number, number] | null,
 *   p90: number, p99: number }}
 */
function summarize(samples) {
  const sorted = Float64Array.from(samples).sort();
  return {
    n: sorted.length,
    min: sorted[0],
    p50: quantileSorted(sorted, 0.5),
    p50Interval: interval([samples], median),
    p90: quantileSorted(sorted, 0.9),
    p99: quantileSorted(sorted, 0.99),
  };
}

/** The ratio of two medians, with its interval. */
function medianRatio(...samples) {
  const ratio = (a, b) => median(a) / median(b);
  return { value: ratio(...samples), interval: interval(samples, ratio) };
}

/** The bootstrap's percentile interval at 95 %; each list is resampled by itself. */
function interval(lists, statistic) {
  if (lists.some((list) => list.length < LEAST_FOR_INTERVAL)) {
    return null;
  }
  const values = Array.from({ length: RESAMPLES }, () =>
    statistic(...lists.map((list) => sampleWithReplacement(list, list.length))),
  );
  return quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]);
}

/**
 * The share of calls that succeeded, with Wilson's interval at 95 %, which says something of 100 out of
 * 100, too (E. B. Wilson, "Probable inference", 1927).
 *
 * @param {number} successes
 * @param {number} calls at least 1
 */
function successRate(successes, calls) {
  const share = successes / calls;
  const weight = Z ** 2 / calls;
  const centre = (share + weight / 2) / (1 + weight);
  const half = (Z / (1 + weight)) * Math.sqrt((share * (1 - share)) / calls + weight / (4 * calls));
  return { value: share, interval: [Math.max(0, centre - half), Math.min(1, centre + half)] };
}

function median(samples) {
  return quantile(samples, 0.5);
}

function p99(samples) {
  return quantile(samples, 0.99);
}

module.exports = { summarize, successRate, medianRatio, median, p99 };
