'use strict';

const { colourOf, svgOf } = require('./theme');

/** How metrics in one plot are told apart. */
const STROKES = ['solid', 'dashed', 'dotted', [8, 3, 2, 3]];

const WIDTH = 840;
const LEGEND_ROW_HEIGHT = 40;
const CURVES_IN_A_ROW = 3;

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
        name:
          metrics.length > 1
            ? `${side}, ${metric.title.replace('time to interactive, ', '')}`
            : side,
        stroke: STROKES[stroke],
        colour: colourOf(side, at),
        points: stepsOf(samples, calls),
      })),
  );
  if (curves.length === 0) {
    return null;
  }
  const rows = Math.ceil(curves.length / CURVES_IN_A_ROW);
  return svgOf(
    {
      title: { text: title, subtext: `Share of calls done within a time; ${subtitleOf(report)}` },
      legend: {
        data: curves.map(({ name: curve }) => curve),
        width: WIDTH - 60,
        itemWidth: 36,
        // The line tells which it is; the dot on it only hides that.
        itemStyle: { opacity: 0 },
      },
      grid: { left: 64, right: 40, top: 70, bottom: 50 + rows * LEGEND_ROW_HEIGHT },
      xAxis: {
        type: 'log',
        name: 'milliseconds',
        nameLocation: 'middle',
        nameGap: 26,
        axisLabel: { showMinLabel: false },
        min: Math.min(...curves.map(({ points }) => points[0][0])) / 1.5,
      },
      yAxis: { type: 'value', min: 0, max: 1 },
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
    { width: WIDTH, height: 400 + rows * LEGEND_ROW_HEIGHT },
  );
}

/** The points of the empirical distribution; failed calls count among all, and never come. */
function stepsOf(samples, calls) {
  const sorted = Float64Array.from(samples).sort();
  return [[sorted[0], 0], ...Array.from(sorted, (value, at) => [value, (at + 1) / calls])];
}

/** On what it was measured, in a line. */
function subtitleOf({ engine, machine, image, date }) {
  return [
    `${engine.name} ${engine.version}`,
    `${machine.cpus} CPUs`,
    image.name,
    date.slice(0, 10),
  ].join(', ');
}

module.exports = { distributionPlot };
