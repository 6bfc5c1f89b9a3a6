'use strict';

const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

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

const sha256 = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');

/** An index of packages on this machine's loopback: the files of a folder. */
class Index {
  /** Paths that were asked for. */
  asked = [];
  /** How many requests wait. */
  held = 0;
  #hold = null;
  #folder;
  #server;
  #lines = new Set();
  /** File → which Python it takes. */
  #python;
  /** `user:password` */
  #login;

  constructor(folder, { python = {}, login } = {}) {
    this.#folder = folder;
    this.#python = python;
    this.#login = login;
    this.#server = http.createServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', (line) => {
      this.#lines.add(line);
      line.on('close', () => this.#lines.delete(line));
    });
  }

  /** Leaves requests of paths that begin so unanswered, until `release`. */
  hold(path) {
    this.#hold = path;
  }

  release() {
    this.#hold = null;
    this.held = 0;
    for (const line of this.#lines) line.destroy();
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port() {
    return this.#server.address().port;
  }

  #answer(request, response) {
    const { pathname } = new URL(request.url, 'http://host');
    this.asked.push(pathname);
    if (this.#hold !== null && pathname.startsWith(this.#hold)) {
      this.held += 1;
      return;
    }
    const login = `Basic ${Buffer.from(this.#login ?? '').toString('base64')}`;
    if (this.#login !== undefined && request.headers.authorization !== login) {
      response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
      return;
    }
    const [, first, name] = pathname.split('/');
    const normal = (file) => file.split('-')[0].toLowerCase().replace(/[._]/g, '-');
    const own = fs.readdirSync(this.#folder).filter((file) => normal(file) === name);
    const file = path.join(this.#folder, path.basename(pathname));
    if (first === 'simple' && own.length > 0) {
      response.writeHead(200, { 'content-type': 'text/html' }).end(this.#page(own));
    } else if (first === 'files' && fs.existsSync(file)) {
      response.end(fs.readFileSync(file));
    } else response.writeHead(404).end();
  }

  #page(files) {
    const links = files.map((file) => {
      const python = this.#python[file];
      const takes = python ? ` data-requires-python="${python.replace('>', '&gt;')}"` : '';
      const sum = sha256(path.join(this.#folder, file));
      return `<a href="/files/${file}#sha256=${sum}"${takes}>${file}</a>`;
    });
    return `<!DOCTYPE html><html><body>${links.join('<br>\n')}</body></html>`;
  }

  close() {
    this.#server.close();
    for (const line of this.#lines) line.destroy();
  }
}

module.exports = { Index, makeSource, makeWheel, sha256 };
