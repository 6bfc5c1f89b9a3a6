'use strict';

// The map of the code in CONTRIBUTING.md is the tree.

const fs = require('node:fs');
const path = require('node:path');

const { ROOT } = require('../support/node');

const text = fs.readFileSync(path.join(ROOT, 'CONTRIBUTING.md'), 'utf8');
const [, map] = /^```text\n(.*?)^```$/ms.exec(text);

/** The paths it names: the names at the beginning of a line, each below the folder that is less indented. */
function* paths() {
  const above = [];
  for (const line of map.trimEnd().split('\n')) {
    const [, indent, names] = /^( *)(.*?)(?: {2,}|$)/.exec(line);
    // What goes on in the column of what they are for.
    if (indent.length > 20) continue;
    while (above.length > 0 && above.at(-1).indent >= indent.length) above.pop();
    const folder = above.at(-1)?.path ?? '';
    for (const name of names.split(', ')) yield path.join(folder, name);
    above.push({ indent: indent.length, path: path.join(folder, names) });
  }
}

test('everything on it is there', () => {
  expect([...paths()].filter((name) => !fs.existsSync(path.join(ROOT, name)))).toEqual([]);
});

test('every room of src/, and every engine, is on it', () => {
  const rooms = ['src', 'src/engine'].flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${folder}/${entry.name}/`),
  );
  const named = [...paths()];
  expect(rooms.filter((room) => !named.includes(room))).toEqual([]);
});
