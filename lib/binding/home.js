'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

/** The folder that this package is in, and what can be found from there. */
class Home {
  #folder;
  #resolve;

  /** `null` where a bundler has taken the code out of it. */
  static find() {
    // An ES module has no `__dirname`, and some bundlers make one up.
    const folder = typeof __dirname === 'undefined' ? '' : path.join(__dirname, '../..');
    const isOurs =
      path.isAbsolute(folder) && fs.existsSync(path.join(folder, 'lib/binding/home.js'));
    return isOurs ? new Home(folder) : null;
  }

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

module.exports = { Home };
