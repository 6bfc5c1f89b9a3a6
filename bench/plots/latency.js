'use strict';

const { figure } = require('../markdown');
const { COLOURS, colourOf, svgOf } = require('./theme');

/** What a caller waits for, from the scenarios that measure it at rest. */
const ROWS = [
  ['execute', 'acquire', 'acquire'],
  ['execute', 'hello', 'execute print("hello")'],
  ['execute', 'toolCall', 'execute a tool call'],
  ['call', 'run', 'acquire to result'],
  ['call', 'whole', 'acquire, execute, destroy'],
  ['ready', 'ready', 'create to ready'],
  ['execute', 'destroy', 'destroy'],
];
const SIDES = ['baseline', 'scientist-pool', 'floor'];
const NAMES = { baseline: 'dockerode pool', floor: "the engine's floor" };
const ROW_HEIGHT = 62;
const SIDE_OFFSET = 16;

/**
 * From p50 (the dot, with its figure) to p99 (the stroke), by what is waited for and by side.
 *
 * @returns {string | null} SVG; nothing where the report has none of the rows
 */
function latencyPlot(report) {
  const rows = ROWS.flatMap(([scenario, metric, title]) => {
    const sides = report.scenarios
      .find(({ name }) => name === scenario)
      ?.metrics.find(({ key }) => key === metric)?.sides;
    return sides ? [{ title, sides }] : [];
  });
  if (rows.length === 0) {
    return null;
  }
  const lows = rows.flatMap(({ sides }) => SIDES.map((side) => sides[side]?.p50 ?? Infinity));
  return svgOf(
    {
      title: {
        text: 'What a caller waits for: p50 to p99, in milliseconds',
        subtext: subtitleOf(report),
      },
      legend: {
        data: SIDES.map((side) => ({ name: NAMES[side] ?? side, icon: 'circle' })),
      },
      grid: { left: 190, right: 30, top: 70, bottom: 64 },
      xAxis: { type: 'log', min: Math.min(...lows) / 2, axisLabel: { showMinLabel: false } },
      yAxis: {
        type: 'category',
        inverse: true,
        data: rows.map(({ title }) => title),
        axisTick: { show: false },
      },
      series: SIDES.map((side, place) => ({
        name: NAMES[side] ?? side,
        type: 'custom',
        silent: true,
        encode: { x: [1, 2], y: 0 },
        itemStyle: { color: colourOf(side) },
        data: rows.flatMap(({ sides }, row) =>
          sides[side]?.n > 0 ? [[row, sides[side].p50, sides[side].p99]] : [],
        ),
        renderItem: (_params, api) =>
          rangeShape(
            api.coord([api.value(1), api.value(0)]),
            api.coord([api.value(2), api.value(0)]),
            (place - 1) * SIDE_OFFSET,
            figure(api.value(1)),
            colourOf(side),
          ),
      })),
    },
    { height: 130 + rows.length * ROW_HEIGHT },
  );
}

function rangeShape([from, y], [to], offset, text, colour) {
  const at = y + offset;
  return {
    type: 'group',
    children: [
      {
        type: 'line',
        shape: { x1: from, y1: at, x2: to, y2: at },
        style: { stroke: colour, lineWidth: 4, opacity: 0.45 },
      },
      {
        type: 'line',
        shape: { x1: to, y1: at - 5, x2: to, y2: at + 5 },
        style: { stroke: colour, lineWidth: 2 },
      },
      { type: 'circle', shape: { cx: from, cy: at, r: 5 }, style: { fill: colour } },
      {
        type: 'text',
        style: {
          text,
          x: from - 9,
          y: at,
          align: 'right',
          verticalAlign: 'middle',
          fontSize: 12,
          fill: COLOURS.text,
        },
      },
    ],
  };
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

module.exports = { latencyPlot, subtitleOf };
