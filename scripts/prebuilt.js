'use strict';

// Lays out what is to be published, in the current folder: a package for each target of `napi.targets`
// with its binary and its programs below npm/, these as `optionalDependencies` in package.json, no binary
// beside it, and lib/ as one file.
//
//     node scripts/prebuilt.js FOLDER     with the binaries and the programs of all targets in the folder

const fs = require('node:fs');
const path = require('node:path');

const { runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { say } = require('../harness/console');
const { root } = require('../harness/paths');
const { FILE } = require('./licenses');
const { putAll } = require('../harness/programs');
const { bundleLib } = require('../harness/published');

/** Puts beside a binary what belongs to it: its programs, and the licences of what it is made of. */
function complete(folder, binaries) {
  const programs = putAll(binaries, folder);
  // npm packs the first of them by itself.
  for (const file of ['LICENSE', FILE]) fs.copyFileSync(file, path.join(folder, file));
  const manifest = path.join(folder, 'package.json');
  const { files, ...rest } = JSON.parse(fs.readFileSync(manifest, 'utf8'));
  const all = { ...rest, files: [...files, ...programs, FILE] };
  fs.writeFileSync(manifest, `${JSON.stringify(all, null, 2)}\n`);
}

async function main() {
  const [binaries] = process.argv.slice(2);
  const cli = path.join(root, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js');
  const napi = (...args) => run(process.execPath, [cli, ...args]);
  await napi('create-npm-dirs');
  await napi('artifacts', '--output-dir', binaries);
  // Writes the optional dependencies; publishing is a step of its own.
  await napi('pre-publish', '--tag-style', 'npm', '--skip-optional-publish', '--no-gh-release');
  // `artifacts` leaves one of each here, where the main package would take them all in.
  for (const name of fs.readdirSync('.')) if (name.endsWith('.node')) fs.rmSync(name);
  await bundleLib('.');
  for (const name of fs.readdirSync('npm')) complete(path.join('npm', name), binaries);
  say(`laid out: ${fs.readdirSync('npm').join(', ')}`);
  return 0;
}

runMain(main);
