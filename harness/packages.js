'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { archiveOf } = require('./archives');
const { run } = require('./command');
const { cache } = require('./paths');

/** Where an image's interpreter looks for packages: as Debian has it, and as everybody else. */
const PLACES = ['dist-packages', 'site-packages'];

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

/**
 * An image of which there is an archive, as a folder in the cache, with packages of PyPI put in as wheels for
 * the Python `version`. Takes root, as whom the image's files keep their owners.
 *
 * @returns {Promise<string>} for the option `image` of the local engine
 */
async function imageWith(packages, image, version) {
  const folder = path.join(cache, 'images-with', `${packages.join('-')}-${version}`);
  const root = path.join(folder, 'root');
  if (fs.existsSync(folder)) return `dir:${root}`;
  const part = `${folder}.${process.pid}`;
  try {
    await unpack(archiveOf(image), part);
    const library = path.join(part, 'root/usr/local/lib', `python${version}`);
    const place = PLACES.find((name) => fs.existsSync(path.join(library, name)));
    await run('python3', [
      ...['-m', 'pip', 'install', '--no-compile', '--root-user-action', 'ignore'],
      ...['--target', path.join(part, 'packages'), ...asWheels(version), ...packages],
    ]);
    const packed = path.join(part, 'packages');
    fs.cpSync(packed, path.join(library, place ?? PLACES[0]), { recursive: true });
    fs.rmSync(packed, { recursive: true });
    for (const each of [part, path.join(part, 'root')]) fs.chmodSync(each, 0o755);
    fs.renameSync(part, folder);
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
  return `dir:${root}`;
}

/** Lays the layers of an archive into the folder `root` of another. */
async function unpack(archive, folder) {
  const layers = path.join(folder, 'layers');
  const root = path.join(folder, 'root');
  for (const each of [layers, root]) fs.mkdirSync(each, { recursive: true });
  await run('tar', ['-xf', archive, '-C', layers]);
  const [{ Layers }] = JSON.parse(fs.readFileSync(path.join(layers, 'manifest.json'), 'utf8'));
  for (const layer of Layers) await run('tar', ['-xf', path.join(layers, layer), '-C', root]);
  fs.rmSync(layers, { recursive: true });
}

module.exports = { imageWith, wheelsOf };
