'use strict';

const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');

/** Each room of the development code, and which of them it may take from. */
const MAY_TAKE = {
  harness: [],
  bench: ['harness'],
  scripts: ['harness'],
  __test__: ['harness', 'examples'],
  examples: ['harness'],
};
/** Tests of a room's own code. */
const TESTS_OF = { '__test__/bench': 'bench', '__test__/package': 'scripts' };

const ROOMS = Object.keys(MAY_TAKE);
const roomOf = (file) => file.split(path.sep)[0];

function* modulesIn(room) {
  for (const name of fs.readdirSync(path.join(ROOT, room), { recursive: true })) {
    if (/\.[cm]?js$/.test(name)) yield path.join(room, name);
  }
}

/** The rooms that a module requires something of. */
function takenBy(file) {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:require\(|from )'(\.[^']*)'/g)]
    .map(([, name]) => roomOf(path.join(path.dirname(file), name)))
    .filter((room) => room !== roomOf(file) && ROOMS.includes(room));
}

test.each(ROOMS)('%s takes nothing from a room above it', (room) => {
  const wrong = [...modulesIn(room)].flatMap((file) => {
    const allowed = [...MAY_TAKE[room], TESTS_OF[path.dirname(file)]];
    return takenBy(file)
      .filter((other) => !allowed.includes(other))
      .map((other) => `${file} takes from ${other}/`);
  });
  expect(wrong).toEqual([]);
});

test('lib/ is entered by its door alone, since what is published has nothing else of it', () => {
  const rooms = ['agents', 'bin', 'cli', 'observing', 'testing'];
  const inside = ['index.js', ...rooms.flatMap((room) => [...modulesIn(room)])].filter((file) =>
    /require\('[./]+\/lib\//.test(fs.readFileSync(path.join(ROOT, file), 'utf8')),
  );
  expect(inside).toEqual([]);
});

test('what every engine is held to is written for none of them', () => {
  const named = [...modulesIn('__test__/engine')].filter((file) =>
    /dockerode|support\/docker|own-bench|DOCKER_HOST/.test(
      fs.readFileSync(path.join(ROOT, file), 'utf8'),
    ),
  );
  expect(named).toEqual([]);
});
