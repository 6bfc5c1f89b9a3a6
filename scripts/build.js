'use strict';

// `npm run build`: the addon, and on Linux the programs that the local engine takes, beside the sources.
// Options are napi's, such as --target: with one, the addon alone is built. `--debug` is for working on it.

const path = require('node:path');

const { runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { root } = require('../harness/paths');
const { LAUNCHER, PROGRAMS, put } = require('../harness/programs');

async function main() {
  const given = process.argv.slice(2);
  const isDebug = given.includes('--debug');
  const options = given.filter((option) => option !== '--debug');
  const profile = isDebug ? [] : ['--release'];
  const at = { cwd: root, show: true };
  const napi = path.join(root, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js');
  await run(
    process.execPath,
    [
      ...[napi, 'build', '--platform', '--no-js', '--dts', 'target/binding.d.ts'],
      ...[...profile, ...options],
    ],
    at,
  );
  if (process.platform !== 'linux' || options.includes('--target')) return 0;
  for (const name of PROGRAMS) {
    // One that brings its own C library runs in any image.
    const library = ['--bin', name, '--', '-C', 'target-feature=+crt-static'];
    const how = name === LAUNCHER ? ['rustc', library] : ['build', []];
    await run('cargo', [how[0], '--locked', ...profile, '--package', name, ...how[1]], at);
    put(path.join(root, 'target', isDebug ? 'debug' : 'release', name), root, name);
  }
  return 0;
}

runMain(main);
