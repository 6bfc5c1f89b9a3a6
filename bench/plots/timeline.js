'use strict';

const { PARTS } = require('../profile/switches');
const { subtitleOf } = require('./latency');
const { COLOURS, svgOf } = require('./theme');

const ROW_HEIGHT = 26;
/** What shorter runs are widened to, to be seen at all; pixels. */
const LEAST_WIDTH = 1.5;

/** Who ran when during one warm call: a row for each thread, in the order in which they first ran. */
function timelinePlot(profile) {
  const { wallUs, runs } = profile.timeline;
  const own = runs.filter(({ part }) => part !== 'others');
  const threads = [...new Map(own.map(({ thread, part }) => [thread, part]))];
  const rowOf = new Map(threads.map(([thread], row) => [thread, row]));
  const colours = Object.keys(PARTS).map((part, at) => [part, COLOURS.others[at]]);
  return svgOf(
    {
      title: {
        text: 'One warm execute of print("hello"): which threads ran when',
        subtext: `${subtitleOf(profile)}; a row for each thread`,
      },
      grid: { left: 250, right: 30, top: 70, bottom: 50 },
      xAxis: {
        type: 'value',
        min: 0,
        max: wallUs,
        name: 'microseconds',
        nameLocation: 'middle',
        nameGap: 26,
        axisLabel: { showMaxLabel: false },
      },
      yAxis: {
        type: 'category',
        inverse: true,
        data: threads.map(([, part]) => PARTS[part]),
        axisTick: { show: false },
      },
      series: colours.map(([part, colour]) => ({
        name: PARTS[part],
        type: 'custom',
        silent: true,
        encode: { x: [1, 2], y: 0 },
        data: own
          .filter((run) => run.part === part)
          .map(({ thread, fromUs, toUs }) => [rowOf.get(thread), fromUs, toUs]),
        renderItem: (_params, api) => {
          const [x, y] = api.coord([api.value(1), api.value(0)]);
          const [end] = api.coord([api.value(2), api.value(0)]);
          return {
            type: 'rect',
            shape: { x, y: y - 7, width: Math.max(LEAST_WIDTH, end - x), height: 14 },
            style: { fill: colour },
          };
        },
      })),
    },
    { height: 130 + threads.length * ROW_HEIGHT },
  );
}

module.exports = { timelinePlot };
