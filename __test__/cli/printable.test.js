'use strict';

const { printable, printableJson } = require('../../cli/printable');
const { layOut } = require('../../cli/table');

test('a text is printed with nothing in it that a terminal obeys, and on one line', () => {
  expect(printable('a\x1b[31m\x07\x7f\x9bé\u202e\u2028😀')).toBe(
    `${String.raw`a\x1b[31m\x07\x7f\x9b`}é${String.raw`\u{202e}\u{2028}`}😀`,
  );
  expect(printable('one\r\n  two\tthree')).toBe('one   two three');
});

test('a text is printed up to its longest, escapes included', () => {
  expect(printable('abc', 3)).toBe('abc');
  expect(printable('abcd', 3)).toBe('ab…');
  expect(printable('\x1b\x1b', 4)).toBe(`${String.raw`\x1`}…`);
  expect(printable('x'.repeat(10_000))).toHaveLength(4096);
});

test('JSON means the same, with nothing in it that a terminal obeys', () => {
  const value = { 'k\x9b': 'a\x1b\x7f\u202e\u{e0041}\n' };
  const text = printableJson(value);
  expect(text).not.toMatch(/\p{C}/u);
  expect(JSON.parse(text)).toEqual(value);
});

test('a cell of a table is as wide as 80 characters at most', () => {
  expect(layOut([['x'.repeat(1000), 'y\x1b']])).toEqual([`${'x'.repeat(79)}…  y\\x1b`]);
});
