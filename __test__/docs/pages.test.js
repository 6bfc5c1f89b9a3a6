'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { ROOT } = require('../support/node');
const { codes, page, pages, rows } = require('../support/pages');

/** Those that show no code of a user's, or what another test runs: `__test__/package/bundlers.test.js`. */
const WITHOUT_EXAMPLE = [
  'docs/benchmarks.md',
  'docs/bundlers.md',
  'docs/cli.md',
  'docs/reliability.md',
];

test('the README is short enough to be read to its end', () => {
  expect(page('README.md').text.split('\n').length).toBeLessThanOrEqual(250);
});

test('the README leads to every page', () => {
  const { links } = page('README.md');
  const others = pages.map(({ name }) => name).filter((name) => name !== 'README.md');
  expect(others.filter((name) => !links.includes(name))).toEqual([]);
});

test('every page has an example', () => {
  const without = pages.filter(({ examples }) => examples.length === 0).map(({ name }) => name);
  expect(without).toEqual(WITHOUT_EXAMPLE);
});

test.each(pages)('every link of $name leads somewhere', ({ name, links, anchors }) => {
  const broken = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file, heading] = link.split('#');
    const target = path.posix.normalize(path.posix.join(path.dirname(name), file));
    if (file !== '' && !fs.existsSync(path.join(ROOT, target))) return true;
    const known = file === '' ? anchors : pages.find((one) => one.name === target)?.anchors;
    return heading !== undefined && known !== undefined && !known.includes(heading);
  });
  expect(broken).toEqual([]);
});

/** The files and folders that a text names from the root on. */
function files(text) {
  return codes(text).filter((code) =>
    /^(__test__|bench|cli|docs|examples|lib|scripts|src|tests)\/[\w./-]+$/.test(code),
  );
}

test.each(pages)('every file that $name names is there', ({ text }) => {
  expect(files(text).filter((file) => !fs.existsSync(path.join(ROOT, file)))).toEqual([]);
});

test('the suites that are said to show what is promised of a fault are there', () => {
  const shown = rows(page('docs/reliability.md').section('## Faults')).map(
    (row) => row['shown by'],
  );
  const missing = shown.flatMap(codes).filter((suite) => {
    if (/^npm run/.test(suite)) return false;
    const places = [suite, `__test__/${suite}.test.js`, `__test__/faults/${suite}.test.js`];
    return !places.some((place) => fs.existsSync(path.join(ROOT, place)));
  });
  expect(missing).toEqual([]);
});

describe('the examples in JavaScript', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pages-'));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  test.each(pages.flatMap(({ examples }) => examples))('$title parses', ({ source, isModule }) => {
    const file = path.join(folder, isModule ? 'example.mjs' : 'example.cjs');
    fs.writeFileSync(file, source);
    const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
