'use strict';

const { execFileSync } = require('node:child_process');
const path = require('node:path');

const { Index } = require('../../harness/package-index');
const { wheelsOf } = require('../../harness/packages');
const { outside } = require('./engine');

/** Packs files, which are JSON on stdin, as wheels are. */
const PACK = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as wheel:
    for name, text in json.load(sys.stdin).items():
        wheel.writestr(name, text)
`;

/**
 * Makes a wheel.
 *
 * @param {object} wheel `files`: path → text; `needs`: requirements; `python`: which Python it takes
 * @returns {string} its file
 */
function makeWheel(folder, { name, version = '1.0', tag = 'py3-none-any', ...rest }) {
  const all = contentsOf({ name, version, tag, ...rest });
  const file = path.join(folder, `${name}-${version}-${tag}.whl`);
  execFileSync('python3', ['-c', PACK, file], { input: JSON.stringify(all) });
  return file;
}

/** All that is in a wheel: path → text. */
function contentsOf({ name, version, tag = 'py3-none-any', files, needs = [] }) {
  const info = `${name}-${version}.dist-info`;
  const metadata = [
    ...['Metadata-Version: 2.1', `Name: ${name}`, `Version: ${version}`],
    ...needs.map((need) => `Requires-Dist: ${need}`),
  ];
  const all = {
    ...files,
    [`${info}/METADATA`]: `${metadata.join('\n')}\n`,
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: ${tag}\n`,
  };
  const record = Object.keys(all).map((file) => `${file},,\n`);
  all[`${info}/RECORD`] = `${record.join('')}${info}/RECORD,,\n`;
  return all;
}

/** Packs files, which are JSON on stdin, as sources are. */
const PACK_SOURCE = `
import io, json, sys, tarfile
with tarfile.open(sys.argv[1], "w:gz") as tar:
    for name, text in json.load(sys.stdin).items():
        info = tarfile.TarInfo(name)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
`;

/** What builds a wheel, and needs nothing for it. */
const BACKEND = `
import json, os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    made = json.load(open("wheel.json"))
    with zipfile.ZipFile(os.path.join(folder, made["name"]), "w") as wheel:
        for name, text in made["files"].items():
            wheel.writestr(name, text)
    return made["name"]
`;

const PROJECT = `
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
`;

/** Makes sources that a wheel of these files can be built of. */
function makeSource(folder, { name, version = '1.0', files }) {
  const made = { name: `${name}-${version}-py3-none-any.whl` };
  made.files = contentsOf({ name, version, files });
  const source = {
    'PKG-INFO': `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    'backend.py': BACKEND,
    'pyproject.toml': PROJECT,
    'wheel.json': JSON.stringify(made),
  };
  const entries = Object.entries(source).map(([file, text]) => [
    `${name}-${version}/${file}`,
    text,
  ]);
  const input = JSON.stringify(Object.fromEntries(entries));
  const file = path.join(folder, `${name}-${version}.tar.gz`);
  execFileSync('python3', ['-c', PACK_SOURCE, file], { input });
}

/**
 * Packages of PyPI, as an index on this machine has them: with pip, and for the Python `version`. `options`: those of a
 * pool with them. `close()` takes away what was derived, too.
 */
async function served(packages, version) {
  const index = await new Index(await wheelsOf(['pip', ...packages], version)).listen();
  const close = async () => {
    index.close();
    await outside().forgetDerived(packages[0].split('=')[0]);
  };
  return { options: { packages, indexUrl: index.url() }, close };
}

module.exports = { makeSource, makeWheel, served };
