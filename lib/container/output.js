'use strict';

const { constants } = require('node:buffer');
const { StringDecoder } = require('node:string_decoder');
const { setImmediate: nextTurn } = require('node:timers/promises');

const { PoolError } = require('../errors');
const { readShown } = require('./display');
const { signalName } = require('../signal-names');

const STDOUT = 1;

/** What Python's `str.strip()` takes for white space; a byte order mark is none. */
const SPACE = new Set(
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
);

function strip(text) {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.has(text[start])) start += 1;
  while (end > start && SPACE.has(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function text(bytes, trim) {
  // In one go: a character cut in two by a frame is whole here, and what is no UTF-8 becomes U+FFFD.
  const decoded = bytes.toString('utf8');
  return trim ? strip(decoded) : decoded;
}

/** Throws, with the result in bytes, if there is more of a stream than a string can hold. */
function checkLengths(outcome, call, waited) {
  const name = ['stdout', 'stderr'].find(
    (stream) => outcome[stream].length > constants.MAX_STRING_LENGTH,
  );
  if (name === undefined) return;
  const message = `${name} has ${outcome[name].length} bytes, more than a string can hold; use encoding: 'buffer' or a smaller maxOutputBytes`;
  const result = makeResult(outcome, { ...call, encoding: 'buffer' }, waited);
  throw new PoolError('INVALID_ARGUMENT', message, { result });
}

/** The result of a call from the native outcome. `waited`: ms in line for a container, before the call. */
function makeResult(outcome, call, waited) {
  const { encoding, trim } = call;
  const { stdout, stderr } = outcome;
  const binary = encoding === 'buffer';
  if (!binary) checkLengths(outcome, call, waited);
  return {
    stdout: binary ? stdout : text(stdout, trim),
    stderr: binary ? stderr : text(stderr, trim),
    exitCode: outcome.exitCode,
    duration: Math.round(outcome.totalMs),
    reason: outcome.reason,
    signal: signalName(outcome.signal),
    truncated: outcome.stdoutTruncated || outcome.stderrTruncated,
    stdoutBytes: outcome.stdoutBytes,
    stderrBytes: outcome.stderrBytes,
    path: outcome.warm ? 'warm' : 'cold',
    timings: {
      waiting: waited,
      dispatch: outcome.dispatchMs,
      firstByte: outcome.firstByteMs ?? null,
      run: outcome.runMs,
      total: outcome.totalMs + waited,
    },
    ...(outcome.shown && readShown(outcome.shown, outcome.shownTruncated)),
    // Only where something can go out.
    ...(outcome.egress && { egress: JSON.parse(outcome.egress) }),
  };
}

/** A result as others may see it. */
function withoutOutput({ stdout, stderr, display, files, ...rest }) {
  return rest;
}

/**
 * Hands the chunks of one call to its callbacks, one after the other in the order they came.
 *
 * A callback may return a promise; the next chunk waits until that is settled, and the native side
 * reads on as chunks are done, so a slow callback slows the script instead of filling the memory. A
 * callback that throws or rejects fails the call: the line is cut, nothing more is handed on, and
 * `failure` holds what it threw.
 */
class Delivery {
  #streams;
  /** The native side's line to this call: `done()` for each chunk, in any case; `cancel()` to end it. */
  #line;
  /** Settles when the chunks that came so far are done; `undefined` when they are. */
  #turn;
  /** `{ error }` once a callback has failed. An object, since anything can be thrown. */
  failure = null;
  #received = 0;
  #closed = false;

  constructor({ onStdout, onStderr, encoding }, line) {
    const stream = (callback) =>
      callback && { callback, decoder: encoding === 'utf8' ? new StringDecoder('utf8') : null };
    this.#streams = { stdout: stream(onStdout), stderr: stream(onStderr) };
    this.#line = line;
  }

  /** For the native side. Never throws. */
  onChunk = (number, bytes) => {
    this.#received += 1;
    const stream = number === STDOUT ? this.#streams.stdout : this.#streams.stderr;
    const taken =
      this.#turn === undefined
        ? this.#take(stream, bytes)
        : this.#turn.then(() => this.#take(stream, bytes));
    if (taken === undefined) {
      this.#line.done();
      return;
    }
    const turn = taken.then(() => {
      this.#line.done();
      if (this.#turn === turn) this.#turn = undefined;
    });
    this.#turn = turn;
  };

  /**
   * Waits for the chunks that were sent before the outcome, which come another way, then for the
   * callbacks, and hands on a character that was never completed. A call whose time ran out waits for no
   * callback.
   */
  async finish({ chunks, reason }) {
    while (this.#received < chunks) await nextTurn();
    if (reason === 'timeout') return;
    await this.#turn;
    for (const stream of [this.#streams.stdout, this.#streams.stderr]) {
      if (stream?.decoder) await this.#hand(stream, stream.decoder.end());
    }
  }

  /** Hands nothing on any more: the call is over. */
  close() {
    this.#closed = true;
  }

  #take(stream, bytes) {
    if (!stream) return undefined;
    return this.#hand(stream, stream.decoder ? stream.decoder.write(bytes) : bytes);
  }

  /** What it returns, if anything, is a promise that never rejects. */
  #hand({ callback }, chunk) {
    // Empty: the decoder keeps the bytes back until their character is complete.
    if (this.#closed || this.failure !== null || chunk.length === 0) return undefined;
    try {
      const answer = callback(chunk);
      if (typeof answer?.then !== 'function') return undefined;
      return Promise.resolve(answer).then(
        () => undefined,
        (error) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #fail(error) {
    if (this.failure !== null) return;
    this.failure = { error };
    this.#line.cancel();
  }
}

module.exports = { Delivery, makeResult, withoutOutput };
