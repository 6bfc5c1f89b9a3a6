'use strict';

// What builds for other platforms: Rust's targets, by rustup; Zig, by PyPI, which brings the C libraries of all.

const fs = require('node:fs');
const path = require('node:path');

const { SetupError } = require('../../harness/cleanup');
const { environment, findProgram, run } = require('../../harness/command');
const { say } = require('../../harness/console');
const { PROGRAMS, put } = require('../../harness/programs');
const paths = require('../../harness/paths');

const ZIG = ['ziglang==0.17.1', 'cargo-zigbuild==0.24.1'];

/** The folder of `zig` and `cargo-zigbuild`, in the cache. */
async function ensureZig() {
  const folder = path.join(paths.cache, 'tools', ZIG.join('-').replaceAll('==', '-'));
  const bin = path.join(folder, 'bin');
  const zig = path.join(bin, 'zig');
  if (fs.existsSync(zig)) return bin;
  say(`pip install ${ZIG.join(' ')}, into ${folder}`);
  await run('python3', ['-m', 'venv', folder]);
  const quiet = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
  await run(path.join(bin, 'pip'), ['install', ...quiet, ...ZIG]);
  fs.writeFileSync(zig, `#!/bin/sh\nexec ${bin}/python -m ziglang "$@"\n`, { mode: 0o755 });
  return bin;
}

/** Makes sure that Rust's library for a target is there. */
async function ensureTarget(target) {
  if (!findProgram('rustup')) {
    throw new SetupError(
      `\`rustup\` is not installed, which brings the library for ${target}.`,
      ' ',
    );
  }
  const { output } = await run('rustup', ['target', 'list', '--installed']);
  if (!output.split('\n').includes(target)) await run('rustup', ['target', 'add', target]);
}

/** Runs cargo or what runs it, where it finds Zig. */
async function withZig(command, args, { env = {}, show = true } = {}) {
  const PATH = [await ensureZig(), environment.PATH].join(path.delimiter);
  return run(command, args, { cwd: paths.root, show, low: true, env: { ...env, PATH } });
}

/**
 * Builds the addon for a target as release.yml does, but for the profile, and without the engine on Kubernetes: both are
 * for time's sake.
 *
 * @returns {Promise<string>} the folder it is in
 */
async function buildAddon(target, flags, env) {
  // Outside of the checkout, over which it is laid: overlayfs takes no layer within another.
  const folder = path.join(paths.cache, 'platforms', target);
  await ensureTarget(target.replace(/\.\d+\.\d+$/, ''));
  fs.mkdirSync(folder, { recursive: true });
  const options = ['--debug', '--target', target, '--no-default-features', ...flags];
  const build = path.join(paths.root, 'scripts', 'build.js');
  await withZig(process.execPath, [build, ...options, '--output-dir', folder], { env });
  return folder;
}

/** Builds the programs of the local engine for a processor as release.yml does, and puts them into a folder. */
async function buildPrograms(target, folder) {
  await ensureTarget(target);
  for (const name of PROGRAMS) {
    await withZig('cargo', ['zigbuild', '--locked', '--package', name, '--target', target]);
    put(path.join(paths.root, 'target', target, 'debug', name), folder, name);
  }
}

module.exports = { ZIG, buildAddon, buildPrograms, ensureTarget, withZig };
