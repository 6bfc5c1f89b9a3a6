'use strict';

// docs/security.md names each probe where it names the defence, and none that is not there.

const fs = require('node:fs');
const path = require('node:path');

const { OPTIONS } = require('../../lib/options');
const { PROBES } = require('../abuse/probes');
const { SCENARIOS } = require('../abuse/scenarios');

const page = fs.readFileSync(path.join(__dirname, '../../docs/security.md'), 'utf8');

/** The rows of the tables whose last column has what tries a defence. */
const defences = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 5 && /`\w+\/\w+`/.test(cells[3]));

const words = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word);

test('every probe is named once, with the defence that it tries', () => {
  const named = defences.flatMap(([, , , probes]) => words(probes));
  const there = [...PROBES, ...SCENARIOS].map(({ name }) => name);
  expect(named.sort()).toEqual(there.sort());
});

test('every option that a defence is said to have is one', () => {
  const options = defences.flatMap(([, , option]) => words(option));
  const known = [...Object.keys(OPTIONS), 'timeout'];
  expect(options.filter((option) => !known.includes(option))).toEqual([]);
});
