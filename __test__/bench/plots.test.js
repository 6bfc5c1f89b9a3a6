'use strict';

const { spawnSync } = require('node:child_process');

const { plotsOf } = require('../../bench/plots');
const { example } = require('./example');

const plots = plotsOf(example());
const CHECK =
  'import sys, xml.dom.minidom as dom\nprint(dom.parse(sys.stdin).documentElement.tagName)';

/** The text of a plot as a reader sees it. */
const textIn = (svg) =>
  [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text).join('\n');

test('every kind of plot is drawn', () => {
  expect([...plots.keys()].sort()).toEqual([
    'burst',
    'images',
    'latency',
    'neighbour',
    'sequential',
    'staggered',
  ]);
});

describe.each([...plots])('%s', (name, svg) => {
  test('is one well-formed SVG document', () => {
    const { stdout, stderr } = spawnSync('python3', ['-c', CHECK], {
      input: svg,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe('svg');
  });

  test('refers to nothing outside of it', () => {
    expect(svg.match(/\b(href|src)=|url\((?!#)|<script/g)).toBeNull();
  });

  test('comes out the same every time', () => {
    expect(plotsOf(example()).get(name)).toBe(svg);
  });
});

test.each(['latency', 'sequential', 'staggered', 'burst', 'images'])(
  '%s names each side',
  (name) => {
    for (const side of ['baseline', 'scientist-pool', 'local', 'floor']) {
      expect(textIn(plots.get(name))).toContain(side);
    }
  },
);

test('a run without a scenario has no plot of it', () => {
  const report = example();
  report.scenarios = report.scenarios.filter(({ name }) => name !== 'images');
  expect(plotsOf(report).has('images')).toBe(false);
});
