'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { filesOf, filled, readRun } = require('../../bench/docs');
const { figuresOf } = require('../../bench/markdown');
const { example } = require('./example');

test('the pages and plots are those of the run that is checked in', () => {
  const stale = [...filesOf(readRun())].filter(
    ([file, text]) => fs.readFileSync(file, 'utf8') !== text,
  );
  // npm run bench:docs
  expect(stale.map(([file]) => path.basename(file))).toEqual([]);
});

test('what stands between markers is replaced, and nothing else', () => {
  const page = 'a\n<!-- figures: one -->\nold\n<!-- end of figures -->\nb';
  expect(filled(page, { one: () => 'new' })).toBe(
    'a\n<!-- figures: one -->\n\nnew\n\n<!-- end of figures -->\nb',
  );
});

test('figures that nobody makes are an error', () => {
  const page = '<!-- figures: two -->\n<!-- end of figures -->';
  expect(() => filled(page, { one: () => '' })).toThrow('No figures are called two');
});

test('a run of another version of the bench is refused', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-docs-'));
  try {
    const file = path.join(folder, 'run.json');
    fs.writeFileSync(file, JSON.stringify({ ...example(), schemaVersion: 0 }));
    expect(() => readRun(file)).toThrow('schemaVersion 0');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

describe('the figures', () => {
  const figures = (report) => figuresOf(report, new Map());

  test('name failed calls, and keep a table whole whatever they said', () => {
    expect(figures(example()).unflattering()).toContain('1 failed: it <broke> & ended | so');
    expect(figures(example()).scenarios()).toContain('3 of 4');
    expect(figures(example()).scenarios()).toContain('75 %');
  });

  test('name what is slower than dockerode beyond doubt, and only that', () => {
    const report = example();
    const [sure, doubtful] = report.scenarios;
    const of = 'baseline / scientist-pool';
    sure.metrics[0].ratios = [{ of, value: 0.8, interval: [0.7, 0.9] }];
    doubtful.metrics[0].ratios = [{ of, value: 0.8, interval: [0.6, 1.1] }];
    const text = figures(report).unflattering();
    expect(text).toContain('Slower than dockerode, execute');
    expect(text).not.toContain('Slower than dockerode, sequential');
  });

  test('doubt what too few samples say', () => {
    const report = example();
    const of = 'baseline / scientist-pool';
    report.scenarios[0].metrics[0].ratios = [{ of, value: 0.2, interval: null }];
    expect(figures(report).unflattering()).not.toContain('Slower');
  });

  test('name where the local engine is slower than Docker', () => {
    const report = example();
    const of = 'scientist-pool / local';
    report.scenarios[0].metrics[0].ratios = [{ of, value: 0.8, interval: [0.7, 0.9] }];
    expect(figures(report).unflattering()).toContain(
      'Slower on the local engine than on Docker, execute: execute print("hello"), 2 ms against 4 ms',
    );
  });

  test('name missed targets first', () => {
    const report = example();
    report.targets = [
      { what: 'this', limit: '<= 2', value: 1, interval: null, met: true },
      { what: 'that', limit: '<= 2', value: 3.9, interval: null, met: false },
    ];
    const [, , first] = figures(report).targets().split('\n');
    expect(first).toMatch(/that.*3\.90.*missed/);
  });
});
