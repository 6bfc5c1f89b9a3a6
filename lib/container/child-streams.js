'use strict';

const { Readable, Writable } = require('node:stream');
const { setImmediate: nextTurn } = require('node:timers/promises');

const STDOUT = 1;

/** Bytes that cross over at once; the native side has two of them at most. */
const PIECE = 64 * 1024;

/** For streams whose error is told elsewhere, too: nobody has to listen to it. */
const ignore = () => {};

/** What a process writes. While it is full, chunks are not said to be done, and in the end the process waits. */
class Output extends Readable {
  #done;
  /** Chunks it has taken although it was full. */
  #held = 0;

  /** @param {() => void} done says that a chunk has been dealt with */
  constructor(done, encoding) {
    super({ encoding: encoding === 'utf8' ? 'utf8' : undefined });
    this.#done = done;
    this.on('error', ignore);
  }

  take(bytes) {
    // Of a destroyed one the rest goes nowhere: the process is to go on.
    if (this.destroyed || this.push(bytes)) this.#done();
    else this.#held += 1;
  }

  end() {
    if (!this.destroyed) this.push(null);
  }

  _read() {
    this.#release();
  }

  _destroy(error, callback) {
    this.#release();
    callback(error);
  }

  #release() {
    for (; this.#held > 0; this.#held -= 1) this.#done();
  }
}

/** What a process reads. */
class Input extends Writable {
  #line = null;

  constructor() {
    super();
    this.on('error', ignore);
  }

  /** Begins. Nothing is written before: a stream's first write waits for its next turn. */
  open(line) {
    this.#line = line;
  }

  _write(chunk, _encoding, callback) {
    this.#feed(chunk).then(callback, callback);
  }

  _final(callback) {
    this.#line?.endStdin();
    callback();
  }

  _destroy(error, callback) {
    this.#line?.endStdin();
    callback(error);
  }

  /** Resolves with the error, if there is one. */
  async #feed(chunk) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      if (!(await this.#line.write(chunk.subarray(at, at + PIECE)))) return brokenPipe();
    }
    return null;
  }
}

/** The error that a write to a process's stdin has when the process is gone, as Node words it. */
function brokenPipe() {
  return Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
}

/** A call as its caller talks to it: what it reads, and where its output goes. */
class Streams {
  #line = null;
  #received = 0;

  /** @param {{ encoding: string, job: object }} call */
  constructor({ encoding, job }) {
    const done = () => this.#line?.done();
    this.stdout = new Output(done, encoding);
    this.stderr = new Output(done, encoding);
    // A script is itself what its interpreter reads.
    this.stdin = job.script === undefined ? new Input() : null;
  }

  open(line) {
    this.#line = line;
    this.stdin?.open(line);
    return this;
  }

  /** For the native side. Never throws. */
  onChunk = (number, bytes) => {
    this.#received += 1;
    const stream = number === STDOUT ? this.stdout : this.stderr;
    stream.take(bytes);
  };

  /** Waits for the chunks that were sent before the outcome: they come another way. */
  async finish({ chunks }) {
    while (this.#received < chunks) await nextTurn();
  }

  kill() {
    this.#line?.kill();
  }

  /** The call is over, with a result. */
  end() {
    this.stdout.end();
    this.stderr.end();
    this.stdin?.destroy();
  }

  /** The call is over without one. */
  fail(error) {
    for (const stream of [this.stdout, this.stderr, this.stdin]) stream?.destroy(error);
  }
}

module.exports = { Streams };
