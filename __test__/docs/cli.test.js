'use strict';

// docs/cli.md has every command and every option of it, and none that is not there.

const { COMMANDS, COMMON } = require('../../cli/main');
const { page } = require('../support/pages');

const { text } = page('docs/cli.md');

test('every command is named, and no other', () => {
  const named = [...text.matchAll(/npx scientist-pool (\w+)/g)].map(([, name]) => name);
  expect([...new Set(named)].sort()).toEqual(Object.keys(COMMANDS).sort());
});

test('every option is named, and no other', () => {
  const named = [...text.matchAll(/(?<!\w)--([a-z-]+)/g)].map(([, name]) => name);
  const there = [COMMON, ...Object.values(COMMANDS).map(({ options }) => options)].flatMap(
    Object.keys,
  );
  expect([...new Set(named)].sort()).toEqual([...new Set(there)].sort());
});
