'use strict';

const { subtitleOf } = require('./latency');
const { colourOf, svgOf } = require('./theme');

/** How metrics in one plot are told apart. */
const STROKES = ['solid', 'dashed', 'dotted', [8, 3, 2, 3]];

/**
 * The share of all calls that had their result within a time, by side and metric. A curve that ends below
 * 1 is one of which calls failed.
 *
 * @param {object} report
 * @param {string} name of the scenario
 * @param {string[]} keys of its metrics, whose unit is ms
 * @param {string} title
 * @returns {string | null} SVG; nothing where the report has none of them
 */
function distributionPlot(report, name, keys, title) {
  const found = report.scenarios.find((scenario) => scenario.name === name);
  const metrics = (found?.metrics ?? []).filter(({ key }) => keys.includes(key));
  const curves = metrics.flatMap((metric, stroke) =>
    Object.entries(metric.sides)
      .filter(([, { n }]) => n > 0)
      .map(([side, { samples, calls }], at) => ({
        name: `${side}, ${metric.title.replace('time to interactive, ', '')}`,
        stroke: STROKES[stroke],
        colour: colourOf(side, at),
        points: stepsOf(samples, calls),
      })),
  );
  if (curves.length === 0) {
    return null;
  }
  return svgOf(
    {
      title: { text: title, subtext: subtitleOf(report) },
      legend: { data: curves.map(({ name: curve }) => curve) },
      grid: { left: 64, right: 30, top: 70, bottom: 84 },
      xAxis: {
        type: 'log',
        name: 'milliseconds',
        nameLocation: 'middle',
        nameGap: 26,
        min: 10 ** Math.floor(Math.log10(Math.min(...curves.map(({ points }) => points[0][0])))),
      },
      yAxis: { type: 'value', min: 0, max: 1, name: 'share of calls' },
      series: curves.map(({ name: curve, stroke, colour, points }) => ({
        name: curve,
        type: 'line',
        step: 'end',
        symbol: 'none',
        data: points,
        itemStyle: { color: colour },
        lineStyle: { color: colour, width: 2, type: stroke },
      })),
    },
    { height: 440 },
  );
}

/** The points of the empirical distribution; failed calls count among all, and never come. */
function stepsOf(samples, calls) {
  const sorted = Float64Array.from(samples).sort();
  return [[sorted[0], 0], ...Array.from(sorted, (value, at) => [value, (at + 1) / calls])];
}

module.exports = { distributionPlot, stepsOf };
