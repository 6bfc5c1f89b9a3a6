'use strict';

const fs = require('node:fs');
const path = require('node:path');

const esbuild = require('esbuild');

const { root } = require('./paths');

/**
 * Puts lib/ into a package that is to be published: as one file, since for Node to find and read each of
 * many takes longer than what is in them. Names stay, for those who read stacks: by esbuild's `keepNames`
 * every function would be named as it is made, which a call pays for.
 *
 * @param {string} folder the package's
 */
async function bundleLib(folder) {
  const { outputFiles } = await esbuild.build({
    // Not the door itself, which would have its names at the top: the others' would have to make way.
    stdin: { contents: "module.exports = require('./lib');", resolveDir: root },
    ...{ bundle: true, platform: 'node', format: 'cjs', target: 'node20' },
    // Beside lib/, and in packages of their own.
    external: ['../package.json', '*.node', 'scientist-pool-*'],
    ...{ absWorkingDir: root, logLevel: 'error', write: false },
  });
  const lib = path.join(folder, 'lib');
  fs.rmSync(lib, { recursive: true, force: true });
  fs.mkdirSync(lib);
  fs.writeFileSync(path.join(lib, 'index.js'), outputFiles[0].contents);
}

/** Puts some of this package into a folder, as it is published: what is named, and lib/. */
async function layOut(folder, names) {
  for (const name of names) {
    fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  await bundleLib(folder);
}

module.exports = { bundleLib, layOut };
