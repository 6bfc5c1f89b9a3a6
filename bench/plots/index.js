'use strict';

const { distributionPlot } = require('./distribution');

const interactive = (name, what) => [
  name,
  (report) =>
    distributionPlot(report, name, ['warm', 'cold'], `Time to interactive, calls ${what}`),
];

/** By name of the file, what draws it. */
const PLOTS = new Map([
  [
    'latency',
    (report) =>
      distributionPlot(report, 'execute', ['hello', 'toolCall'], 'What a warm call takes'),
  ],
  interactive('sequential', 'one after another'),
  interactive('staggered', 'one every 200 ms'),
  interactive('burst', 'all at once'),
  [
    'images',
    (report) =>
      distributionPlot(
        report,
        'images',
        ['py39Warm', 'py311Warm', 'busyboxWarm'],
        'Time to interactive by image, from a full pool',
      ),
  ],
  [
    'neighbour',
    (report) =>
      distributionPlot(report, 'neighbour', ['execute'], 'A tool call beside one other container'),
  ],
]);

/**
 * Draws what the report has figures for.
 *
 * @returns {Map<string, string>} name → SVG
 */
function plotsOf(report) {
  const drawn = new Map();
  for (const [name, draw] of PLOTS) {
    const svg = draw(report);
    if (svg !== null) {
      drawn.set(name, svg);
    }
  }
  return drawn;
}

module.exports = { plotsOf };
