'use strict';

// Which glibc a binary needs, by the versions of the symbols that it takes from there.
//
//     node scripts/glibc.js FILE MOST     fails if that is newer than MOST, such as 2.17

const fs = require('node:fs');

const { runMain } = require('../harness/cleanup');
const { say } = require('../harness/console');

/** Orders versions such as `2.9` and `2.17`. */
function compare(a, b) {
  const [[majorA, minorA = 0], [majorB, minorB = 0]] = [a, b].map((v) => v.split('.').map(Number));
  return majorA - majorB || minorA - minorB;
}

/** The newest glibc that a binary asks for. The names of versions stand in its table of strings. */
function glibcOf(file) {
  const text = fs.readFileSync(file, 'latin1');
  const versions = [...text.matchAll(/\0GLIBC_(\d+\.\d+)(?:\.\d+)?(?=\0)/g)].map(
    ([, version]) => version,
  );
  return versions.sort(compare).at(-1);
}

async function main() {
  const [file, most] = process.argv.slice(2);
  const needed = glibcOf(file);
  if (needed === undefined) throw new Error(`${file} takes nothing from glibc`);
  say(`${file} needs glibc ${needed}`);
  return compare(needed, most) > 0 ? 1 : 0;
}

if (require.main === module) runMain(main);

module.exports = { compare, glibcOf };
