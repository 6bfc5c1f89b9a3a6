'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('./command');
const { cache } = require('./paths');

/** What pip is told so that it takes wheels alone, for the Python `version` on this kind of machine. */
function asWheels(version) {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  return [
    ...['--quiet', '--disable-pip-version-check', '--only-binary', ':all:'],
    ...['--python-version', version, '--platform', `manylinux2014_${machine}`],
  ];
}

/**
 * The wheels of packages of PyPI, and of what they need, for the Python `version`.
 *
 * @returns {Promise<string>} their folder, in the cache
 */
async function wheelsOf(packages, version) {
  const folder = path.join(cache, 'wheels', `${packages.join('-')}-${version}`);
  if (fs.existsSync(folder)) return folder;
  const part = `${folder}.${process.pid}`;
  try {
    await run('python3', [
      ...['-m', 'pip', 'download', '--dest', part, ...asWheels(version), ...packages],
    ]);
    fs.renameSync(part, folder);
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
  return folder;
}

module.exports = { wheelsOf };
