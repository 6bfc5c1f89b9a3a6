'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { canInstall, ensureProgram } = require('./apt');
const { SetupError } = require('./cleanup');
const { run } = require('./command');
const paths = require('./paths');

const scripts = path.join(__dirname, 'recipes');
const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function debian(suite, packages, changes) {
  return {
    title: `Debian ${suite} with ${packages.join(', ')}, made by debootstrap`,
    script: path.join(scripts, 'debian.sh'),
    changes: [PATH, ...changes],
    // debootstrap prints about this many lines; only for the progress bar.
    lines: 460,
    prepare: async () => {
      await ensureProgram('debootstrap', ['debootstrap', 'debian-archive-keyring']);
      return [suite, packages.join(',')];
    },
  };
}

const python = (suite, changes) => debian(suite, ['python3'], [...changes, 'CMD ["python3"]']);

/**
 * How to make an image here where no registry answers. The names are those of the official images
 * they stand in for; LANG is set where the official ones set it.
 */
const recipes = {
  'python:3.9-slim': python('bullseye', ['ENV LANG=C.UTF-8']),
  'python:3.11-slim': python('bookworm', ['ENV LANG=C.UTF-8']),
  'python:3.13-slim': python('trixie', []),
  'buildpack-deps:bookworm-scm': debian(
    'bookworm',
    ['python3', 'ca-certificates', 'curl', 'git'],
    ['CMD ["bash"]'],
  ),
  'busybox:stable': {
    title: "Debian's static busybox",
    script: path.join(scripts, 'busybox.sh'),
    changes: ['ENV PATH=/bin', 'CMD ["sh"]'],
    lines: 1,
    prepare: async () => [await ensureProgram('busybox', ['busybox-static'])],
  },
};

/** Where the image's root file system is kept, under a name that changes with its recipe. */
function tarball(image, recipe) {
  const digest = createHash('sha256').update(fs.readFileSync(recipe.script)).digest('hex');
  return path.join(folderOf(image), `${process.arch}-${digest.slice(0, 12)}.tar`);
}

function folderOf(image) {
  return path.join(paths.cache, 'images', image.replace(/[^a-z0-9.]+/g, '-'));
}

/**
 * Installs what the recipe of an image needs (saying so), and resolves with what `make` wants;
 * cheap when the root file system is in the cache.
 */
async function prepare(image) {
  const recipe = recipes[image];
  if (!recipe) throw new SetupError(`No registry answers, and there is no recipe for ${image}.`);
  const file = tarball(image, recipe);
  if (fs.existsSync(file)) return { file, recipe, args: null };
  if (!canInstall()) {
    throw new SetupError(
      `No registry answers, and making ${image} from Debian's packages needs Linux, root and apt.`,
      `Bring the image onto this machine: docker pull ${image}`,
    );
  }
  return { file, recipe, args: await recipe.prepare() };
}

/**
 * Makes the root file system of an image as a tar file in the cache. Two runs that want the same
 * one do not make it twice: the second waits for the first.
 */
async function make({ file, recipe, args }, onProgress) {
  if (!args) return;
  const folder = path.dirname(file);
  fs.mkdirSync(folder, { recursive: true });
  let lines = 0;
  await run(
    'setpriv',
    [
      // Ends with this process, in whatever manner that ends.
      ...['--pdeathsig', 'KILL', '--', 'flock', '--no-fork', path.join(folder, 'lock')],
      ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['sh', '-c', '[ -e "$1" ] || { shift; exec sh "$@"; }', 'sh', file, recipe.script],
      ...[...args, file],
    ],
    {
      onLine: () => {
        lines += 1;
        onProgress(Math.min(0.99, lines / recipe.lines));
      },
    },
  );
  // What an earlier version of the recipe made, or a run that was killed.
  for (const name of fs.readdirSync(folder)) {
    if (![path.basename(file), 'lock'].includes(name)) fs.rmSync(path.join(folder, name));
  }
}

module.exports = { make, prepare };
