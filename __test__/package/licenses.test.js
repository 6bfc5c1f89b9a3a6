'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { crates, listed } = require('../../scripts/licenses');
const { ROOT } = require('../support/installed');

// Where one fails, `npm run licenses` writes the file.

test('the licences of all crates in the binary go with it', async () => {
  const inside = await crates();
  expect(inside).toContainEqual(expect.stringMatching(/^ring \d/));
  const there = new Set(listed());
  expect(inside.filter((crate) => !there.has(crate))).toEqual([]);
});

test('those of no crate do that is not in Cargo.lock', () => {
  const lock = fs.readFileSync(path.join(ROOT, 'Cargo.lock'), 'utf8');
  const locked = lock.matchAll(/^name = "(.+)"\nversion = "(.+)"$/gm);
  const known = new Set(Array.from(locked, ([, name, version]) => `${name} ${version}`));
  expect(listed().filter((crate) => !known.has(crate))).toEqual([]);
});
