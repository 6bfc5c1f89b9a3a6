'use strict';

const { ServerResponse } = require('node:http');

const UPGRADED =
  'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n' +
  'Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

/** One request to a fake engine, and the ways to answer it or not. */
class Call {
  #request;
  #response;
  #early;
  #perform = null;

  /** @param early for a request to switch protocols: what came behind its head and body */
  constructor(request, body, early = null) {
    const url = new URL(request.url, 'http://engine');
    this.method = request.method;
    /** Without the API version. */
    this.path = url.pathname.replace(/^\/v\d+\.\d+(?=\/)/, '');
    this.query = Object.fromEntries(url.searchParams);
    this.headers = request.headers;
    const isArchive = request.headers['content-type'] === 'application/x-tar';
    this.body = body.length === 0 || isArchive ? undefined : JSON.parse(body.toString());
    /** Its route's name, and what stands for the names in it; set by the engine. */
    this.route = null;
    this.params = {};
    this.#request = request;
    this.#early = early;
  }

  /** The engine's own side of it: how it is answered, and what it does. */
  serve(response, perform) {
    this.#response = response;
    this.#perform = perform;
  }

  /** Whether who called has gone away. */
  get abandoned() {
    return this.#request.socket.destroyed;
  }

  /** Does and answers what an engine does. */
  proceed() {
    const { status, body, stream, follow } = this.#perform(this);
    if (follow) {
      this.begin(status);
      follow(this);
    } else if (stream === undefined) this.answer(status, body);
    else if (!this.abandoned) {
      this.#request.socket.write(UPGRADED);
      stream.attach(this.#request.socket, this.#early);
    }
  }

  /** Does what an engine does, and closes the connection in place of an answer. */
  lose() {
    this.#perform(this);
    this.close();
  }

  answer(status, body) {
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    this.begin(status, typeof body === 'string' ? 'text/plain' : 'application/json');
    this.#response.end(text);
  }

  /** An error, as engines word it. */
  refuse(status, message) {
    this.answer(status, { message });
  }

  /** The head of an answer whose body comes bit by bit (`report`, `end`). */
  begin(status, type = 'application/json') {
    // The connection of a refused upgrade serves no further request.
    const last = this.#early === null ? {} : { Connection: 'close' };
    this.#response.writeHead(status, { 'Api-Version': '1.41', 'Content-Type': type, ...last });
    this.#response.flushHeaders();
  }

  /** A line of an answer that is a row of records. */
  report(...records) {
    for (const record of records) this.#response.write(`${JSON.stringify(record)}\r\n`);
  }

  end() {
    this.#response.end();
  }

  /** Closes the connection, in the middle of an answer or instead of one. */
  close() {
    this.#request.socket.destroy();
  }
}

/** A response on the bare socket of a request to switch protocols, for where it is refused. */
function responseOn(request, socket) {
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  response.on('finish', () => socket.end());
  return response;
}

module.exports = { Call, responseOn };
