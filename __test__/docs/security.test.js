'use strict';

// docs/security.md names each probe where it names the defence, and none that is not there.

const fs = require('node:fs');
const path = require('node:path');

const { OPTIONS } = require('../../lib/options/options');
const { FENCES, LAUNCHERS, OF_ORDINARY_USERS, OPTIONS: BY_OPTION } = require('../abuse/fences');
const { ALL, PROBES } = require('../abuse/probes');
const { SCENARIOS } = require('../abuse/scenarios');
const { codes, page } = require('../support/pages');

const { text } = page('docs/security.md');
const rows = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));

/** The rows of the tables whose last column has what tries a defence. */
const defences = rows.filter((cells) => cells.length === 5 && /`\w+\/\w+`/.test(cells[3]));

/** What is tried by the proxy and at secrets: by the names of the tests. */
const OF_NETWORKS = ['egress', 'secrets'].flatMap((kind) => {
  const source = fs.readFileSync(path.join(__dirname, `../abuse/${kind}.test.js`), 'utf8');
  return [...new Set(source.match(new RegExp(`\\b${kind}/\\w+`, 'g')))];
});

test('every probe is named once, with the defence that it tries', () => {
  const named = defences.flatMap(([, , , probes]) => codes(probes));
  const there = [...PROBES, ...SCENARIOS].map(({ name }) => name);
  expect(named.sort()).toEqual([...there, ...OF_NETWORKS].sort());
});

test('every option that a defence is said to have is one', () => {
  const options = defences.flatMap(([, , option]) => codes(option));
  const known = [...Object.keys(OPTIONS), 'timeout'];
  expect(options.filter((option) => !known.includes(option))).toEqual([]);
});

/** The rows below a line that begins a table. */
function below(head) {
  const from = rows.findIndex((cells) => cells.slice(1, -1).join(' | ') === head) + 2;
  const length = rows.slice(from).findIndex((cells) => cells.length === 1);
  return rows.slice(from, from + length).map((cells) => cells.slice(1, -1));
}

test('each fence of the local engine has as many probes as it is said to', () => {
  const sets = Object.values(FENCES);
  const named = [];
  for (const [fence, , , said] of below('fence | Docker | `local` | its probes')) {
    if (said === '') continue;
    const names = codes(fence).filter((name) => name in BY_OPTION || LAUNCHERS.includes(name));
    const own = sets.filter((set) => set.some((name) => names.includes(name)));
    const alone = own.filter(({ length }) => length === 1).length;
    expect([fence, said]).toEqual([fence, `${alone}, ${own.length - alone}`]);
    named.push(...names);
  }
  expect(named.sort()).toEqual([...Object.keys(BY_OPTION), ...LAUNCHERS].sort());
});

test('what is tried on the local engine alone is named with its fences', () => {
  const named = below('probe | fences before it').map(([probe, fences]) => [
    codes(probe)[0],
    codes(fences).sort(),
  ]);
  const own = ALL.filter((probe) => !PROBES.includes(probe));
  const expected = own.map(({ name }) => [name, [...FENCES[name]].sort()]);
  expect(named.sort()).toEqual(expected.sort());
});

test('what gets through as an ordinary user is named', () => {
  const named = below('probe | why it gets through').flatMap(([probes]) => codes(probes));
  expect(named.sort()).toEqual([...OF_ORDINARY_USERS].sort());
});

test('as many probes are said to be there as are', () => {
  const [onDocker, onLocal] = [/(\d+) of (\d+) got through in the first/, /none of (\d+) got/];
  const local = SCENARIOS.filter(({ onDockerAlone }) => !onDockerAlone);
  expect(Number(onDocker.exec(text)[2])).toBe(PROBES.length + SCENARIOS.length);
  expect(Number(onLocal.exec(text)[1])).toBe(ALL.length + local.length);
});
