'use strict';

const { readLines } = require('../call/arguments');
const { ASYNC_DISPOSE } = require('../async-dispose');
const { show, wrong } = require('../errors');
const { linesOf } = require('./line-reader');

/**
 * The signals that `kill` takes: those that Node takes on Windows, where none can be delivered to a
 * process either (https://nodejs.org/api/process.html#signal-events).
 */
const KILLING = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT'];

/** A call that runs while its caller talks to it. `index.d.ts` is its documentation. */
class Child {
  #streams;
  #running = true;

  /**
   * @param {object} streams of the call
   * @param {Promise<object>} call its result
   */
  constructor(streams, call) {
    this.#streams = streams;
    this.exit = this.#settle(call);
    // Who reads the streams has the error from them.
    this.exit.catch(() => undefined);
  }

  get stdin() {
    return this.#streams.stdin;
  }

  get stdout() {
    return this.#streams.stdout;
  }

  get stderr() {
    return this.#streams.stderr;
  }

  kill(signal = 'SIGKILL') {
    if (!KILLING.includes(signal)) {
      throw wrong('signal', `one of ${KILLING.map(show).join(', ')}`, signal);
    }
    if (!this.#running) return false;
    this.#streams.kill();
    return true;
  }

  lines(options) {
    const { from, maxLength } = readLines(options);
    return linesOf(this.#streams[from], maxLength);
  }

  [Symbol.asyncIterator]() {
    return this.lines();
  }

  async [ASYNC_DISPOSE]() {
    this.kill();
    await this.exit.catch(() => undefined);
  }

  async #settle(call) {
    try {
      const result = await call;
      this.#streams.end();
      return result;
    } catch (error) {
      this.#streams.fail(error);
      throw error;
    } finally {
      this.#running = false;
    }
  }
}

module.exports = { Child };
