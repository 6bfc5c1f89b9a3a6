'use strict';

// `npm run licenses`: writes THIRD-PARTY-LICENSES.txt, the licences of the crates inside the binary, which
// ask for their texts wherever it goes. To be run when Cargo.lock changes; a test looks whether it was.

const fs = require('node:fs');
const path = require('node:path');

const { runMain } = require('../../harness/cleanup');
const { run } = require('../../harness/command');
const { say } = require('../../harness/console');
const { cache, root } = require('../../harness/paths');
const { napi } = require('../../package.json');

const FILE = 'THIRD-PARTY-LICENSES.txt';
const VERSION = '0.9.3';

const targets = napi.targets.flatMap((target) => ['--target', target]);

/** The crates of the binaries of all targets, each as `name version`. */
async function crates() {
  const { output } = await run(
    'cargo',
    [
      ...['tree', '--locked', '--workspace', '--all-features', '--edges', 'normal', ...targets],
      ...['--prefix', 'none', '--format', '{p}'],
    ],
    { cwd: root },
  );
  const lines = output.matchAll(/^(\S+) v(\S+)(?: \(proc-macro\))?(?: \(\*\))?$/gm);
  return [...new Set(Array.from(lines, ([, name, version]) => `${name} ${version}`))].sort();
}

/** The crates whose licences are in the file, as `crates()` has them. */
function listed() {
  const text = fs.readFileSync(path.join(root, FILE), 'utf8');
  const heads = text.matchAll(/^={80}\n((?:.+\n)+)\n/gm);
  const names = Array.from(heads, ([, lines]) => lines.match(/^\S+ \S+/gm)).flat();
  return [...new Set(names)].sort();
}

/** The path of cargo-about, compiled into the cache. */
async function ensureCargoAbout() {
  const folder = path.join(cache, 'tools', `cargo-about-${VERSION}`);
  const program = path.join(folder, 'bin', 'cargo-about');
  if (fs.existsSync(program)) return program;
  say(`cargo install cargo-about ${VERSION} into ${folder}`);
  await run('cargo', [
    ...['install', 'cargo-about', '--version', VERSION, '--locked', '--features', 'cli'],
    ...['--root', folder],
  ]);
  return program;
}

async function main() {
  const program = await ensureCargoAbout();
  const cargo = (...args) => run('cargo', args, { cwd: root });
  // Of its own it would look for missing texts in the network, and write what it happens to reach.
  await cargo('fetch', '--locked');
  await run(
    program,
    [
      ...['generate', '--workspace', '--all-features', '--frozen', '--fail', ...targets],
      ...['--config', path.join(__dirname, 'about.toml'), '--output-file', FILE],
      path.join(__dirname, 'text.hbs'),
    ],
    { cwd: root },
  );
  say(`${FILE}: ${listed().length} crates`);
  return 0;
}

module.exports = { FILE, crates, listed };
if (require.main === module) runMain(main);
