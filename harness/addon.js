'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { SetupError } = require('./cleanup');
const { findProgram, run } = require('./command');
const { root } = require('./paths');

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
  const named = ['Cargo.toml', 'Cargo.lock', 'build.rs'].map((name) => path.join(root, name));
  for (const file of [...named, ...[...filesBelow(path.join(root, 'src'))].sort()]) {
    hash.update(`\0${path.relative(root, file)}\0`);
    hash.update(fs.readFileSync(file));
  }
  return hash.digest('hex');
}

function isBuilt() {
  return fs.readdirSync(root).some((name) => name.endsWith('.node'));
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
