'use strict';

const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { Call, responseOn } = require('./fake-engine/call');
const { FakeContainer } = require('./fake-engine/container');
const { ROUTES, routeOf } = require('./fake-engine/routes');

const GiB = 1024 ** 3;

/**
 * A container engine on a unix socket that does what it is told: as much of Docker's API as the
 * package speaks, with containers that are nothing but their stream, and any fault on demand.
 *
 * ```js
 * const engine = await FakeEngine.start();
 * engine.run = ({ script }) => ({ stdout: script.toUpperCase(), exit: 3 });
 * engine.on('POST /containers/create', (call) => call.refuse(500, 'disk full'), { times: 3 });
 * const pool = new ContainerPoolManager({ engine: engine.address });
 * ```
 */
class FakeEngine {
  /** The names of the images it has. */
  images = new Set(['python:3.9-slim']);
  /** Bytes it says it has. */
  memory = 64 * GiB;
  /** The execs there have been, by id. */
  execs = new Map();
  /** All requests so far: `{ route, path, query, headers, body, at }`; `at` in ms of `performance.now()`. */
  requests = [];
  /** How many containers were made, and how many there were at once at most. */
  made = 0;
  peak = 0;

  /**
   * What becomes of a job: `{ stdout, stderr, exit, signal, oom }`, or a promise of it; one that never
   * settles is a job that never ends. `raw`: bytes that go before it into the stream, in no frame.
   * `cutAt`: of all the bytes of the answer, how many come until the stream ends.
   *
   * A job has `container`, `env`, `path` (`'supervisor'` or `'exec'`), and `script` and `args`, or
   * `argv`, `cwd` and `stdin`.
   */
  run = () => ({});

  /**
   * What becomes of a container's boot: `{}` is ready, `{ failed: reason }` is not; or a promise of it,
   * and `cutAt` as with jobs. It gets `container` and `preload`.
   */
  boot = () => ({});

  #folder;
  #server = null;
  #sockets = new Set();
  #containers = new Map();
  #rules = [];

  constructor(folder) {
    this.#folder = folder;
    this.socketPath = path.join(folder, 'engine.sock');
    this.address = `unix://${this.socketPath}`;
  }

  /** An engine that listens, in a folder of its own. */
  static async start() {
    const engine = FakeEngine.absent();
    await engine.listen();
    return engine;
  }

  /** One that does not listen yet. */
  static absent() {
    return new FakeEngine(fs.mkdtempSync(path.join(os.tmpdir(), 'fake-engine-')));
  }

  /** Begins to listen, for the first time or again. */
  async listen() {
    const server = http.createServer((request, response) => {
      this.#serve(request, response, null);
    });
    server.on('upgrade', (request, socket, head) => {
      this.#serve(request, responseOn(request, socket), head);
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.unref();
      // A peer that breaks off is no fault of ours; `close` tells of it.
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    // What waits for it keeps the process alive; it does not.
    server.unref();
    server.listen(this.socketPath);
    await once(server, 'listening');
    this.#server = server;
  }

  /** Goes away: no socket, no connection. Its containers end with their streams. */
  async vanish() {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Goes away for good. */
  async close() {
    await this.vanish();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  // ---- faults ----

  /**
   * Has a handler take the calls of a route, the next `times` of them, before what an engine does.
   * The first rule of a route that is not used up counts.
   *
   * @param {string} route as in `routes.js`: `'POST /containers/:id/start'`
   * @param {(call: Call) => unknown} handler one that does nothing leaves the call unanswered
   */
  on(route, handler, { times = Infinity } = {}) {
    if (!(route in ROUTES)) throw new Error(`a fake engine has no route ${route}`);
    this.#rules.push({ route, handler, left: times });
    return this;
  }

  /** Takes the rules of a route back. */
  off(route) {
    this.#rules = this.#rules.filter((rule) => rule.route !== route);
    return this;
  }

  /** Keeps the calls of a route waiting; what it returns lets them, and all later ones, proceed. */
  hold(route) {
    const held = [];
    const rule = { route, handler: (call) => held.push(call), left: Infinity };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
      for (const call of held.splice(0)) call.proceed();
    };
  }

  // ---- what is and what was ----

  /** The containers there are, oldest first. */
  get containers() {
    return [...this.#containers.values()];
  }

  /** Their ids: plain text, which a test runner can show and pass on. */
  get ids() {
    return [...this.#containers.keys()];
  }

  /** How many connections are open. */
  get connections() {
    return this.#sockets.size;
  }

  /** How often a route was called. */
  count(route) {
    return this.requests.filter((request) => request.route === route).length;
  }

  /** A container that is there already, made by somebody else. */
  plant(config) {
    const container = new FakeContainer(this, `planted-${this.made}`, config);
    this.keep(container);
    return container;
  }

  /** Takes in a container that has been made. */
  keep(container) {
    this.#containers.set(container.id, container);
    this.made += 1;
    this.peak = Math.max(this.peak, this.#containers.size);
  }

  /** A container is gone. */
  forget(container) {
    this.#containers.delete(container.id);
  }

  // ---- the server ----

  async #serve(request, response, head) {
    try {
      const { body, early } = await read(request, head);
      const call = new Call(request, body, early);
      const { route, params } = routeOf(call.method, call.path) ?? {};
      Object.assign(call, { route, params });
      call.serve(response, () => ROUTES[route](this, call));
      const { path, query, headers, body: sent } = call;
      this.requests.push({ route, path, query, headers, body: sent, at: performance.now() });
      if (route === undefined) {
        call.refuse(404, `page not found: ${call.method} ${call.path}`);
        return;
      }
      const rule = this.#rules.find((candidate) => candidate.route === route && candidate.left > 0);
      if (rule === undefined) {
        call.proceed();
      } else {
        rule.left -= 1;
        await rule.handler(call);
      }
    } catch (error) {
      // A test's own fault, told where the test will see it: in the error of the call.
      if (!response.headersSent) {
        response.writeHead(500, { 'Content-Type': 'text/plain' });
        response.end(`the fake engine failed: ${error.stack}`);
      }
    }
  }
}

/** The body of a request, and for one to switch protocols what came behind it. */
async function read(request, head) {
  if (head === null) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return { body: Buffer.concat(chunks), early: null };
  }
  // Node leaves the body of such a request in what follows its head.
  const length = Number(request.headers['content-length'] ?? 0);
  let bytes = head;
  while (bytes.length < length) {
    const [chunk] = await once(request.socket, 'data');
    bytes = Buffer.concat([bytes, chunk]);
  }
  return { body: bytes.subarray(0, length), early: bytes.subarray(length) };
}

module.exports = { FakeEngine };
