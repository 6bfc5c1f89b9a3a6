'use strict';

// Lays out what is to be published, in the current folder: a package for each target of `napi.targets`
// with its binary below npm/, these as `optionalDependencies` in package.json, and no binary beside it.
//
//     node scripts/prebuilt.js FOLDER     with the binaries of all targets in the folder

const fs = require('node:fs');
const path = require('node:path');

const { runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { say } = require('../harness/console');
const { root } = require('../harness/paths');
const { FILE } = require('./licenses');

/** Puts the licences of what a binary is made of beside it. */
function addLicenses(folder) {
  // npm packs the first of them by itself.
  for (const file of ['LICENSE', FILE]) fs.copyFileSync(file, path.join(folder, file));
  const manifest = path.join(folder, 'package.json');
  const { files, ...rest } = JSON.parse(fs.readFileSync(manifest, 'utf8'));
  fs.writeFileSync(manifest, `${JSON.stringify({ ...rest, files: [...files, FILE] }, null, 2)}\n`);
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
  for (const name of fs.readdirSync('npm')) addLicenses(path.join('npm', name));
  say(`laid out: ${fs.readdirSync('npm').join(', ')}`);
  return 0;
}

runMain(main);
