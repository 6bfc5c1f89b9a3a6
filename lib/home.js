'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

/** The folder that a package is in, and what can be found from there. */
class Home {
  #folder;
  #resolve;

  constructor(folder) {
    this.#folder = folder;
    this.#resolve = createRequire(path.join(folder, 'index.js')).resolve;
  }

  /** Whether it is a clone of the sources, where the binary is built. */
  get isClone() {
    return fs.existsSync(path.join(this.#folder, 'Cargo.toml'));
  }

  /** The path of the binary for a target; or `null`. */
  find(target) {
    for (const name of [`./scientist-pool.${target}.node`, `scientist-pool-${target}`]) {
      try {
        return this.#resolve(name);
      } catch {
        // Not there: the next one.
      }
    }
    return null;
  }
}

/** The one of this package; `null` where a bundler has taken the code out of it. */
function findHome() {
  // An ES module has no `__dirname`, and some bundlers make one up.
  const folder = typeof __dirname === 'undefined' ? '' : path.join(__dirname, '..');
  return path.isAbsolute(folder) && isOurs(folder) ? new Home(folder) : null;
}

/** Whether a folder has this package in it. */
function isOurs(folder) {
  try {
    const manifest = fs.readFileSync(path.join(folder, 'package.json'), 'utf8');
    return JSON.parse(manifest).name === 'scientist-pool';
  } catch {
    return false;
  }
}

module.exports = { findHome };
