'use strict';

// docs/security.md names each probe where it names the defence, and none that is not there.

const { OPTIONS } = require('../../lib/options/options');
const { PROBES } = require('../abuse/probes');
const { SCENARIOS } = require('../abuse/scenarios');
const { codes, page } = require('../support/pages');

/** The rows of the tables whose last column has what tries a defence. */
const defences = page('docs/security.md')
  .text.split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 5 && /`\w+\/\w+`/.test(cells[3]));

test('every probe is named once, with the defence that it tries', () => {
  const named = defences.flatMap(([, , , probes]) => codes(probes));
  const there = [...PROBES, ...SCENARIOS].map(({ name }) => name);
  expect(named.sort()).toEqual(there.sort());
});

test('every option that a defence is said to have is one', () => {
  const options = defences.flatMap(([, , option]) => codes(option));
  const known = [...Object.keys(OPTIONS), 'timeout'];
  expect(options.filter((option) => !known.includes(option))).toEqual([]);
});
