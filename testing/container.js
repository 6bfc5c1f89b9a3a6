'use strict';

const { randomBytes } = require('node:crypto');

const { serveFiles } = require('./files');
const { Supervisor, output } = require('./supervisor');

/** A container of a fake engine: what it was made from, and its attached stream. */
class FakeContainer {
  /** In full, as engines give it. */
  id = randomBytes(32).toString('hex');
  /** In whole s since the epoch, as engines list it. */
  created = Math.floor(Date.now() / 1000);
  /** `'created'`, `'running'`, `'gone'`. */
  state = 'created';
  /** Whether it ends with its stdin, as one does whose PID 1 still reads. */
  lifeline = true;
  /** Path below the working directory → content. */
  files = new Map();
  #engine;
  #socket = null;

  constructor(engine, name, config) {
    this.#engine = engine;
    this.name = name;
    this.config = config;
  }

  get labels() {
    return this.config.Labels ?? {};
  }

  /** Takes the stream of stdin, stdout and stderr. */
  attach(socket, early) {
    this.#socket = socket;
    const supervisor = this.supervise(socket, 'supervisor');
    const feed = (chunk) => {
      if (this.isSupervised && this.state !== 'gone') supervisor.feed(chunk);
    };
    const onEnd = () => {
      if (this.lifeline && this.state === 'running') this.die();
    };
    // Nothing of stdin is lost that comes before the start: it stays in the pipe until then.
    this.onStart = () => {
      feed(early);
      socket.on('data', feed).on('end', onEnd).on('close', onEnd);
      if (socket.destroyed) onEnd();
    };
  }

  start() {
    this.state = 'running';
    this.onStart?.();
  }

  /** Whether its PID 1 is the package's own. */
  get isSupervised() {
    return this.config.Entrypoint?.[0] === 'python3';
  }

  /** A supervisor in it that answers on that socket; its jobs came on that `path`. */
  supervise(socket, path) {
    const write = (bytes) => {
      if (socket.writable) socket.write(bytes);
    };
    // As far as the outcome's `cutAt`: there the stream ends.
    const settle = async (outcome, answer) => {
      const settled = await outcome;
      const bytes = answer(settled);
      if (settled.cutAt === undefined) write(bytes);
      else socket.end(bytes.subarray(0, settled.cutAt));
      if (settled.reason === 'lost') this.die();
    };
    const early = (stream, data) => write(output({ [stream]: data }));
    return new Supervisor(
      (boot, answer) =>
        settle(boot.isBare ? {} : this.#engine.boot({ ...boot, container: this }), answer),
      (job, answer) =>
        settle(this.#engine.perform({ ...job, path, container: this, write: early }), answer),
      (request, answer) => write(answer(serveFiles(request, this.files))),
      write,
    );
  }

  /** Writes to the attached stream as it is. */
  write(bytes) {
    if (this.#socket?.writable) this.#socket.write(bytes);
  }

  /** Ends the attached stream, and nothing else, after these bytes. */
  hangUp(bytes = Buffer.alloc(0)) {
    this.#socket?.end(bytes);
  }

  /** Its PID 1 ends; it removes itself. */
  die() {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.#engine.forget(this);
    this.#socket?.end();
  }
}

module.exports = { FakeContainer };
