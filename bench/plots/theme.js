'use strict';

const echarts = require('echarts');

/**
 * The plots stand in pages that are light for one reader and dark for another. So each is a card with a
 * background of its own; the colours hold on it for readers who see red and green alike (Okabe and Ito,
 * "Color Universal Design", 2008).
 */
const COLOURS = {
  background: '#ffffff',
  border: '#d0d7de',
  text: '#1f2328',
  quiet: '#59636e',
  grid: '#e6eaef',
  sides: {
    baseline: '#d55e00',
    'scientist-pool': '#0072b2',
    local: '#e69f00',
    floor: '#009e73',
    plain: '#cc79a7',
  },
  others: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'],
};

/** No name with a blank: zrender would write its quotes into an attribute in quotes. */
const FONT = 'system-ui, -apple-system, Helvetica, Arial, sans-serif';

echarts.registerTheme('bench', {
  backgroundColor: COLOURS.background,
  color: COLOURS.others,
  textStyle: { fontFamily: FONT, color: COLOURS.text },
  title: {
    left: 16,
    top: 12,
    textStyle: { fontSize: 16, fontWeight: 600, color: COLOURS.text },
    subtextStyle: { fontSize: 12, color: COLOURS.quiet },
  },
  legend: {
    bottom: 10,
    itemGap: 32,
    selectedMode: false,
    textStyle: { fontSize: 12, color: COLOURS.text },
  },
  ...Object.fromEntries(
    ['valueAxis', 'logAxis', 'categoryAxis', 'timeAxis'].map((axis) => [
      axis,
      {
        axisLine: { lineStyle: { color: COLOURS.quiet } },
        axisLabel: { fontSize: 12, color: COLOURS.text },
        nameTextStyle: { fontSize: 12, color: COLOURS.quiet },
        splitLine: { lineStyle: { color: COLOURS.grid } },
      },
    ]),
  ),
});

/** The colour of a side, or of the `at`-th of things that are no sides. */
function colourOf(name, at = 0) {
  return COLOURS.sides[name] ?? COLOURS.others[at % COLOURS.others.length];
}

/**
 * Draws a chart.
 *
 * @param {import('echarts').EChartsOption} option
 * @param {{ width?: number, height?: number }} [size] in pixels
 * @returns {string} an SVG document that stands by itself; the same option gives the same text
 */
function svgOf(option, { width = 840, height = 420 } = {}) {
  const chart = echarts.init(null, 'bench', { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, ...option });
    return `${renumbered(chart.renderToSVGString())}\n`;
  } finally {
    chart.dispose();
  }
}

/** zrender names what it defines by counts that go on from chart to chart: here they begin anew. */
function renumbered(svg) {
  const names = new Map();
  return svg.replace(/\bzr\d*-[\w-]*\d+\b/g, (name) => {
    if (!names.has(name)) names.set(name, `d${names.size}`);
    return names.get(name);
  });
}

module.exports = { COLOURS, colourOf, svgOf };
