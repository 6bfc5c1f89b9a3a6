'use strict';

const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { setTimeout: sleep } = require('node:timers/promises');

const { Call, responseOn } = require('./call');
const { FakeContainer } = require('./container');
const { fail, holds } = require('./leaks');
const { installed, requirementsOf } = require('./install');
const { readOutcome } = require('./outcome');
const { Reply } = require('./reply');
const { ROUTES, routeNamed, routeOf } = require('./routes');

const GiB = 1024 ** 3;

/** Variables that say where the engine is or how to reach it, beside `DOCKER_HOST`. */
const OTHER_VARIABLES = ['DOCKER_CONTEXT', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];

/** ms in which what is on its way to its end may come to it. */
const PATIENCE = 2000;

/**
 * A container engine on a local socket that does what it is told: as much of Docker's API as the
 * package speaks, with containers that are nothing but their stream, and any fault on demand.
 * `index.d.ts` is its documentation; what isn't in there is for the package's own tests.
 */
class FakeEngine {
  /** The names of the images it has. */
  images;
  /** Of those that were made of containers: their labels, and when that was, in s since the epoch. */
  commits = new Map();
  /** Bytes it says it has. */
  memory;
  /** The execs there have been, by id. */
  execs = new Map();
  /** All requests so far: `{ route, path, query, headers, body, at }`; `at` in ms of `performance.now()`. */
  requests = [];
  /** All jobs so far. */
  calls = [];
  /** The requirements of all installations so far. */
  installs = [];
  /** How many containers were made, and how many there were at once at most. */
  made = 0;
  peak = 0;

  /**
   * What becomes of a job that no reply takes: an outcome (`outcome.js`), or a promise of it; one that
   * never settles is a job that never ends. Beside what `index.d.ts` tells, an outcome may have `raw`:
   * bytes that go before it into the stream, in no frame; and `cutAt`: of all the bytes of the answer,
   * how many come until the stream ends.
   */
  run = () => ({});

  installation = () => ({});

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
  #replies = [];
  #restore = null;
  /** Calls that are told what happens. */
  #followers = new Set();

  constructor(folder, { images = ['python:3.9-slim'], memory = 64 * GiB } = {}) {
    this.#folder = folder;
    this.images = new Set(images);
    this.memory = memory;
    if (process.platform === 'win32') {
      this.socketPath = `\\\\.\\pipe\\${path.basename(folder)}`;
      this.address = `npipe:////./pipe/${path.basename(folder)}`;
    } else {
      this.socketPath = path.join(folder, 'engine.sock');
      this.address = `unix://${this.socketPath}`;
    }
  }

  /** An engine that listens, in a folder of its own. */
  static async start(options) {
    const engine = FakeEngine.absent(options);
    await engine.listen();
    return engine;
  }

  /** One that does not listen yet. */
  static absent(options) {
    return new FakeEngine(fs.mkdtempSync(path.join(os.tmpdir(), 'fake-engine-')), options);
  }

  /** Has pools that aren't told where their engine is find this one, until it is closed. */
  install(env = process.env) {
    this.#restore?.();
    const before = ['DOCKER_HOST', ...OTHER_VARIABLES].map((name) => [name, env[name]]);
    this.#restore = () => {
      this.#restore = null;
      for (const [name, value] of before) {
        if (value === undefined) delete env[name];
        else env[name] = value;
      }
    };
    env.DOCKER_HOST = this.address;
    for (const name of OTHER_VARIABLES) delete env[name];
    return this;
  }

  /** Begins to listen, for the first time or again. */
  async listen() {
    /** By a connection: when what was last answered on it is out. */
    const answered = new WeakMap();
    const server = http.createServer((request, response) => {
      answered.set(request.socket, new Promise((resolve) => response.once('close', resolve)));
      this.#serve(request, response, null);
    });
    server.on('upgrade', async (request, socket, head) => {
      // Its client may have the answer before the system has told this side so, as with pipes on Windows.
      await answered.get(socket);
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
    this.#restore?.();
    await this.vanish();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  // ---- what comes of scripts and commands ----

  /** Says what the next `times` jobs that match come to. The first reply that matches and isn't used up counts. */
  reply(match, outcome, { times = Infinity } = {}) {
    this.#replies.push(new Reply(match, outcome, times));
    return this;
  }

  /** What a job comes to, read and after its delay. Never rejects. */
  async perform(begun) {
    const job = withScript(begun);
    try {
      const requirements = requirementsOf(job);
      if (requirements !== undefined) {
        this.installs.push(requirements);
        return readOutcome(await installed(requirements, this.installation));
      }
      this.calls.push(job);
      const reply = this.#replies.find((candidate) => candidate.takes(job));
      const outcome = readOutcome(await (reply === undefined ? this.run(job) : reply.to(job)));
      // Who waits for it keeps the process alive; it does not.
      if (outcome.delay > 0) await sleep(outcome.delay, undefined, { ref: false });
      for (const [path, content] of Object.entries(outcome.files)) {
        job.container.files.set(path, Buffer.from(content));
      }
      return outcome;
    } catch (error) {
      // A test's own fault, told where the test will see it: in the result of the call.
      const told = error instanceof Error ? error.stack : String(error);
      return readOutcome({ stderr: `the fake engine failed: ${told}`, exitCode: 1 });
    }
  }

  /** Takes back every reply and every rule, and forgets what there was; containers stay. */
  reset() {
    this.#replies = [];
    this.#rules = [];
    this.run = () => ({});
    this.installation = () => ({});
    this.boot = () => ({});
    this.calls = [];
    this.installs = [];
    this.requests = [];
    return this;
  }

  // ---- faults ----

  /**
   * Has a handler take the calls of a route, the next `times` of them, before what an engine does.
   * The first rule of a route that is not used up counts.
   *
   * @param {string} name of a route or an operation, as in `routes.js`
   * @param {(call: Call) => unknown} handler one that does nothing leaves the call unanswered
   */
  on(name, handler, { times = Infinity } = {}) {
    this.#rules.push({ route: routeNamed(name), handler, left: times });
    return this;
  }

  /** Takes the rules of a route back. */
  off(name) {
    const route = routeNamed(name);
    this.#rules = this.#rules.filter((rule) => rule.route !== route);
    return this;
  }

  /** Refuses the next `times` calls. */
  fail(name, { status = 500, message = 'the fake engine was told to fail', times } = {}) {
    return this.on(name, (call) => call.refuse(status, message), { times });
  }

  /** Has the next `times` calls take so many ms longer. */
  delay(name, ms, { times } = {}) {
    const late = async (call) => {
      await sleep(ms, undefined, { ref: false });
      call.proceed();
    };
    return this.on(name, late, { times });
  }

  /** Keeps the calls of a route waiting; what it returns lets them, and all later ones, proceed. */
  hold(name) {
    const held = [];
    const rule = { route: routeNamed(name), handler: (call) => held.push(call), left: Infinity };
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
  count(name) {
    const route = routeNamed(name);
    return this.requests.filter((request) => request.route === route).length;
  }

  /** Throws unless nobody holds a container of the pool, within so many ms. */
  async assertNoLeases(pool, { within = PATIENCE } = {}) {
    if (await holds(() => pool.stats().leased === 0, within)) return;
    const { leased, creating } = pool.stats();
    const warm = new Set(pool.pool.map(({ id }) => id));
    const used = new Set(this.calls.map(({ container }) => container.id));
    // One that is still being made is neither warm nor leased; only one that ran something surely isn't that.
    const held = this.ids.filter((id) => !warm.has(id) && (creating === 0 || used.has(id)));
    const message = `${leased} leased and not destroyed: call destroy() in finally.`;
    fail(message, held, this.calls, this.assertNoLeases);
  }

  /** Throws unless it has no container, within so many ms. */
  async assertEmpty({ within = PATIENCE } = {}) {
    if (await holds(() => this.#containers.size === 0, within)) return;
    const message = `${this.#containers.size} left on the engine: destroy each, and shut the pools down.`;
    fail(message, this.ids, this.calls, this.assertEmpty);
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
    this.tell('die', container.id);
  }

  /** A call whose answer are the events from now on. */
  follow(call) {
    this.#followers.add(call);
  }

  /** How many still listen. */
  get followers() {
    return [...this.#followers].filter((call) => !call.abandoned).length;
  }

  /** Tells whoever listens of an event of a container. */
  tell(action, id) {
    for (const call of this.#followers) {
      if (call.abandoned) this.#followers.delete(call);
      else call.report({ Type: 'container', Action: action, Actor: { ID: id } });
    }
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

/**
 * A script that has an interpreter started for it is a command with the script on its stdin. A test
 * looks for its scripts whichever way they go.
 */
function withScript(job) {
  const { argv = [], stdin } = job;
  if (job.script !== undefined || stdin === undefined || argv[0] !== 'python3' || argv[1] !== '-')
    return job;
  return { ...job, script: stdin.toString(), args: argv.slice(2) };
}

/** The body of a request, and for one to switch protocols what came behind it. */
async function read(request, head) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  // Not by `for await`: with Node 26 jest takes what that waits with for an open handle.
  await once(request, 'end');
  const body = Buffer.concat(chunks);
  if (head === null) return { body, early: null };
  const length = Number(request.headers['content-length'] ?? 0);
  // Before version 26, Node leaves the body of such a request in what follows its head.
  if (body.length === length) return { body, early: head };
  let bytes = head;
  while (bytes.length < length) {
    const [chunk] = await once(request.socket, 'data');
    bytes = Buffer.concat([bytes, chunk]);
  }
  return { body: bytes.subarray(0, length), early: bytes.subarray(length) };
}

module.exports = { FakeEngine };
