'use strict';

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

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

  /** For the option `indexUrl`; `login`: such as `user:password@`. */
  url(login = '') {
    return `http://${login}127.0.0.1:${this.#server.address().port}/simple`;
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

module.exports = { Index, sha256 };
