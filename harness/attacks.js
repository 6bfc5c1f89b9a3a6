'use strict';

const fs = require('node:fs');
const path = require('node:path');

const FOLDER = path.join(__dirname, 'attacks');

/** What a script may do to those beside it, by name. */
const ATTACKS = Object.fromEntries(
  fs
    .readdirSync(FOLDER)
    .map((file) => [path.basename(file, '.py'), fs.readFileSync(path.join(FOLDER, file), 'utf8')]),
);

/**
 * Begins an attack in a container, and resolves when it is under way. It ends with the container, or with
 * the limit it runs into; what comes of the call is nobody's business.
 */
function attack(container, name) {
  return new Promise((resolve, reject) => {
    const options = { timeout: 120_000, collect: false, onStdout: () => resolve() };
    container.execute(ATTACKS[name], {}, [], options).then(resolve, reject);
  });
}

module.exports = { ATTACKS, attack };
