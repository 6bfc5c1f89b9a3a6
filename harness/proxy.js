'use strict';

const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { routeOf } = require('../testing/routes');

const HEAD_END = '\r\n\r\n';

/**
 * A proxy on a unix socket in front of a real engine, which passes every byte on as it is, until it is
 * told otherwise: of one call, of all, or of the socket itself.
 *
 * ```js
 * const proxy = await EngineProxy.start(address());
 * proxy.on('POST /containers/create', (call) => call.lose(), { times: 1 });
 * const pool = new ContainerPoolManager({ engine: proxy.address });
 * ```
 *
 * It reads heads of requests, and no further: one call after another on a connection, with bodies of a
 * stated length. That is how the package speaks.
 */
class EngineProxy {
  #folder;
  #target;
  #server;
  #links = new Set();
  #rules = [];
  #frozen = false;
  /** The routes of all calls so far, each `{ route, at }`; `at` in ms of `performance.now()`. */
  calls = [];

  constructor(folder, target) {
    this.#folder = folder;
    this.#target = target;
    this.socketPath = path.join(folder, 'proxy.sock');
    this.address = `unix://${this.socketPath}`;
  }

  /** A proxy that listens. `engine`: `unix:///path`, or `tcp://host:port`. */
  static async start(engine) {
    const url = new URL(engine);
    const target =
      url.protocol === 'unix:'
        ? { path: url.pathname }
        : { host: url.hostname, port: Number(url.port) };
    const proxy = new EngineProxy(fs.mkdtempSync(path.join(os.tmpdir(), 'proxy-')), target);
    // A half-closed connection is part of the protocol: it is how stdin ends.
    proxy.#server = net.createServer({ allowHalfOpen: true }, (socket) => proxy.#accept(socket));
    proxy.#server.unref();
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Ends every connection and goes away for good. */
  async close() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.reset();
    await closed;
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  // ---- one call ----

  /**
   * Has a handler take the calls of a route: after the first `skip` of them the next `times`. One that
   * does nothing keeps the call from the engine for good.
   *
   * @param {string} route as in `testing/routes.js`: `'POST /containers/:id/start'`
   * @param {(call: Call) => unknown} handler
   */
  on(route, handler, { skip = 0, times = Infinity } = {}) {
    this.#rules.push({ route, handler, skip, left: times });
    return this;
  }

  /** Takes the rules of a route back. */
  off(route) {
    this.#rules = this.#rules.filter((rule) => rule.route !== route);
    return this;
  }

  /** Keeps the calls of a route waiting; what it returns lets them, and all later ones, pass. */
  hold(route) {
    const held = [];
    const rule = { route, handler: (call) => held.push(call), skip: 0, left: Infinity };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
      for (const call of held.splice(0)) call.pass();
    };
  }

  /** How often a route was called. */
  count(route) {
    return this.calls.filter((call) => call.route === route).length;
  }

  // ---- all of them ----

  /** Passes nothing on in either direction, but accepts: an engine that hangs. */
  freeze() {
    this.#frozen = true;
    for (const link of this.#links) link.pause();
  }

  thaw() {
    this.#frozen = false;
    for (const link of this.#links) link.resume();
  }

  /** Breaks every connection there is, or all but those that became streams; new ones pass. */
  reset({ streams = true } = {}) {
    for (const link of this.#links) if (streams || !link.isStream) link.close();
  }

  /** How many connections are open. */
  get connections() {
    return this.#links.size;
  }

  // ---- the socket ----

  /** Takes the socket's name away; connections that are open stay so. */
  hide() {
    fs.renameSync(this.socketPath, `${this.socketPath}.hidden`);
  }

  /** Gives it back. */
  show() {
    fs.renameSync(`${this.socketPath}.hidden`, this.socketPath);
  }

  // ---- within ----

  #accept(socket) {
    const link = new Link(socket, net.connect({ ...this.#target, allowHalfOpen: true }), (call) =>
      this.#take(call),
    );
    this.#links.add(link);
    link.onClose = () => this.#links.delete(link);
    if (this.#frozen) link.pause();
  }

  #take(call) {
    this.calls.push({ route: call.route, at: performance.now() });
    const rules = this.#rules.filter(({ route, left }) => route === call.route && left > 0);
    const rule = rules.find((candidate) => candidate.skip === 0);
    for (const other of rules) if (other.skip > 0) other.skip -= 1;
    if (rule === undefined) {
      call.pass();
    } else {
      rule.left -= 1;
      rule.handler(call);
    }
  }
}

/** A client's connection, and the one to the engine that belongs to it. */
class Link {
  onClose = () => {};
  #client;
  #engine;
  #onCall;
  #frozen = false;
  /** Bytes of a head that is not complete yet. */
  #head = Buffer.alloc(0);
  /** Bytes of the current call's body to come; without end when its connection was upgraded. */
  #body = 0;
  /** Whether it was upgraded to a stream. */
  isStream = false;
  /** The current call; what the client sends is its, and what the engine sends is its answer. */
  #call = null;

  constructor(client, engine, onCall) {
    this.#client = client;
    this.#engine = engine;
    this.#onCall = onCall;
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ]) {
      from.unref();
      // A peer that breaks off is no fault of ours; `close` tells of it.
      from.on('error', () => {});
      from.on('close', () => this.close());
      from.on('end', () => to.end());
      to.on('drain', () => this.#frozen || from.resume());
    }
    client.on('data', (chunk) => this.#fromClient(chunk));
    engine.on('data', (chunk) => this.#fromEngine(chunk));
  }

  pause() {
    this.#frozen = true;
    this.#client.pause();
    this.#engine.pause();
  }

  resume() {
    this.#frozen = false;
    this.#client.resume();
    this.#engine.resume();
  }

  close() {
    this.#client.destroy();
    this.#engine.destroy();
    this.onClose();
  }

  /** Closes when what was sent in a direction has gone out. */
  finish(direction) {
    (direction === 'answer' ? this.#client : this.#engine).destroySoon();
  }

  /** Half of it: the client learns that nothing more comes, and may go on sending. */
  endAnswer() {
    this.#client.end();
  }

  toEngine(bytes) {
    if (!this.#engine.write(bytes)) this.#client.pause();
  }

  toClient(bytes) {
    if (!this.#client.destroyed && !this.#client.write(bytes)) this.#engine.pause();
  }

  #fromClient(chunk) {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#body > 0) {
        const part = rest.subarray(0, Math.min(rest.length, this.#body));
        this.#body -= part.length;
        rest = rest.subarray(part.length);
        this.#call.request(part);
        continue;
      }
      this.#head = Buffer.concat([this.#head, rest]);
      const end = this.#head.indexOf(HEAD_END);
      if (end < 0) return;
      const head = this.#head.subarray(0, end + HEAD_END.length);
      rest = this.#head.subarray(head.length);
      this.#head = Buffer.alloc(0);
      this.#begin(head);
    }
  }

  #begin(head) {
    const text = head.toString('latin1');
    const [, method, target] = /^(\S+) (\S+) HTTP\/1\.1\r\n/.exec(text);
    if (/\r\ntransfer-encoding:/i.test(text))
      throw new Error(`a body of no stated length: ${text}`);
    this.isStream = /\r\nupgrade:/i.test(text);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    this.#body = this.isStream ? Infinity : length;
    this.#call = new Call(this, method, target.replace(/^\/v\d+\.\d+(?=\/)/, ''));
    this.#call.request(head);
    this.#onCall(this.#call);
  }

  #fromEngine(chunk) {
    this.#call?.answer(chunk);
  }
}

/** One call on its way to the engine, and the ways to let it pass or not. */
class Call {
  #link;
  #waiting = [];
  #passes = false;
  #directions = {
    request: { bytes: 0, cut: null },
    answer: { bytes: 0, cut: null },
  };

  constructor(link, method, target) {
    const url = new URL(target, 'http://engine');
    this.path = url.pathname;
    this.query = Object.fromEntries(url.searchParams);
    /** Its route's name; one that tests have no name for goes by its path. */
    this.route = routeOf(method, url.pathname)?.route ?? `${method} ${url.pathname}`;
    this.#link = link;
  }

  /** Lets it pass, and its answer. */
  pass() {
    this.#passes = true;
    for (const bytes of this.#waiting.splice(0)) this.request(bytes);
  }

  /** Lets it pass, and closes the connection in place of the answer. */
  lose() {
    this.cut('answer', 0);
  }

  /** Closes the connection; the engine never hears of it. */
  close() {
    this.#link.close();
  }

  /**
   * Lets it pass as far as the first `bytes` of a direction, heads included.
   *
   * @param {'request' | 'answer'} direction
   * @param {'close' | 'end' | 'stall'} how what comes then: the connection's end, that of the answer
   *   alone, or nothing at all
   */
  cut(direction, bytes, how = 'close') {
    this.#directions[direction].cut = { at: bytes, how };
    this.pass();
  }

  /** Cuts a direction of a stream that is open, after so many more bytes. */
  cutSoon(direction, bytes, how = 'close') {
    this.cut(direction, this.#directions[direction].bytes + bytes, how);
  }

  /** Whether the engine has begun to answer, whatever became of that. */
  get answered() {
    return this.#directions.answer.bytes > 0;
  }

  /** Bytes of the request, its head first; after an upgrade, of the stream. */
  request(bytes) {
    if (!this.#passes) this.#waiting.push(bytes);
    else this.#through('request', bytes, (part) => this.#link.toEngine(part));
  }

  /** Bytes of the answer. */
  answer(bytes) {
    this.#through('answer', bytes, (part) => this.#link.toClient(part));
  }

  #through(name, bytes, send) {
    const direction = this.#directions[name];
    const left = (direction.cut?.at ?? Infinity) - direction.bytes;
    direction.bytes += bytes.length;
    if (left > 0) send(bytes.subarray(0, left));
    if (bytes.length < left) return;
    if (direction.cut.how === 'close') this.#link.finish(name);
    else if (direction.cut.how === 'end') this.#link.endAnswer();
  }
}

module.exports = { EngineProxy };
