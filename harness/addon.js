'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { SetupError } = require('./cleanup');
const { findProgram, run } = require('./command');
const { root } = require('./paths');
const { PROGRAMS } = require('./programs');

const record = path.join(root, 'target', 'addon-inputs');

function* filesBelow(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(file);
    else yield file;
  }
}

/** A digest of all that the addon is made from, the compiler included. */
async function digestInputs() {
  const hash = createHash('sha256');
  hash.update((await run('rustc', ['-vV'])).output);
  hash.update(`${process.platform} ${process.arch}`);
  const { napi, scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  hash.update(JSON.stringify([napi, scripts.build]));
  const named = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'scripts/build.js'];
  const below = ['src', 'crates'].flatMap((name) => [...filesBelow(path.join(root, name))].sort());
  for (const file of [...named.map((name) => path.join(root, name)), ...below]) {
    hash.update(`\0${path.relative(root, file)}\0`);
    hash.update(fs.readFileSync(file));
  }
  return hash.digest('hex');
}

function isBuilt() {
  const there = fs.readdirSync(root);
  const programs = process.platform === 'linux' ? PROGRAMS : [];
  return (
    there.some((name) => name.endsWith('.node')) && programs.every((name) => there.includes(name))
  );
}

/** `npm run build`, unless the addon on disk was made from the very same inputs. */
async function buildAddon({ show = false } = {}) {
  if (!findProgram('cargo')) {
    throw new SetupError(
      'Rust is not installed: `cargo` is not in PATH.',
      'Install it from https://rustup.rs, open a new shell, and run this again.',
    );
  }
  const digest = await digestInputs();
  const built = fs.existsSync(record) ? fs.readFileSync(record, 'utf8') : '';
  if (built === digest && isBuilt()) return { built: false };
  fs.rmSync(record, { force: true });
  await run('npm', ['run', 'build'], { cwd: root, show });
  fs.mkdirSync(path.dirname(record), { recursive: true });
  fs.writeFileSync(record, digest);
  return { built: true };
}

module.exports = { buildAddon };
