'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** Runs in containers as well. */
const LAUNCHER = 'scientist-pool-launcher';
/** The programs of the local engine. The package of each Linux target has them beside its binary. */
const PROGRAMS = [LAUNCHER, 'scientist-pool-images'];

/** Puts a program into a folder, for everybody to run. */
function put(file, folder, name) {
  const to = path.join(folder, name);
  // Into another file: one that runs can't be written to.
  fs.rmSync(to, { force: true });
  fs.copyFileSync(file, to);
  fs.chmodSync(to, 0o755);
}

/**
 * Puts the programs into the package of a target, if it is one of Linux. Those of one processor are
 * linked statically, and are the same for both C libraries.
 *
 * @param {string} from a folder with `<program>.linux-<processor>` for each of both
 * @param {string} folder the package's
 * @returns {string[]} the files that are new in it
 */
function putAll(from, folder) {
  const [system, processor] = path.basename(folder).split('-');
  if (system !== 'linux') return [];
  for (const name of PROGRAMS) put(path.join(from, `${name}.linux-${processor}`), folder, name);
  return PROGRAMS;
}

module.exports = { LAUNCHER, PROGRAMS, put, putAll };
