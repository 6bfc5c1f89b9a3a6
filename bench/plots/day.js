'use strict';

const { COLOURS, svgOf } = require('./theme');

/**
 * Target, warm containers and calls over a replayed day.
 *
 * @param {object} result what `bench/day.js` writes as JSON
 * @returns {string} SVG
 */
function dayPlot({ series, range, calls, minutes, factor, average, warmShare }) {
  /** Seconds of the replay, as hours of the day. */
  const points = (values) => values.map((value, second) => [(second * factor) / 3600, value]);
  const [warm, target, demand] = COLOURS.others;
  const stepped = (name, values, colour) => ({
    name,
    type: 'line',
    step: 'end',
    symbol: 'none',
    data: points(values),
    itemStyle: { color: colour },
    lineStyle: { color: colour, width: 1.2 },
  });
  return svgOf(
    {
      title: {
        text: `A day of ${calls} generated calls in ${minutes} minutes, poolSize { min: ${range.min}, max: ${range.max} }`,
        subtext: `${Math.round(warmShare * 100)} % of calls answered from warm, ${average.toFixed(1)} containers kept on average; fake engine`,
      },
      legend: {},
      grid: { left: 60, right: 30, top: 76, bottom: 84 },
      xAxis: {
        type: 'value',
        name: 'hour of the day',
        nameLocation: 'middle',
        nameGap: 26,
        min: 0,
        max: 28,
        interval: 4,
      },
      yAxis: { type: 'value' },
      series: [
        {
          name: 'calls in each second of the replay',
          type: 'bar',
          barWidth: 1,
          data: points(series.demand),
          itemStyle: { color: demand },
        },
        stepped('target, containers', series.target, target),
        stepped('warm containers', series.warm, warm),
      ],
    },
    { height: 440 },
  );
}

module.exports = { dayPlot };
