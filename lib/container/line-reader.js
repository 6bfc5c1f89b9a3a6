'use strict';

const { StringDecoder } = require('node:string_decoder');

/**
 * The lines of a stream, without their ends (`\n` or `\r\n`); the last one need not have an end. A line
 * of more than `maxLength` characters comes in pieces of no more than that, so a stream without line ends
 * costs no more memory. They are counted as a string's `length` does, but none is cut in two.
 *
 * Who leaves the loop early destroys the stream, as with the stream's own iterator.
 */
async function* linesOf(stream, maxLength) {
  const decoder = new StringDecoder('utf8');
  const line = new Line(maxLength);
  for await (const chunk of stream) {
    yield* line.take(typeof chunk === 'string' ? chunk : decoder.write(chunk));
  }
  yield* line.take(decoder.end());
  yield* line.end();
}

/** What has come of a line whose end hasn't. */
class Line {
  #maxLength;
  /** Put together once: searching the whole again with each chunk would take its length squared. */
  #parts = [];
  #length = 0;
  /** Whether pieces of it were given already. */
  #cut = false;

  constructor(maxLength) {
    this.#maxLength = maxLength;
  }

  /** Takes text; gives the lines that it completes, and the pieces of those that are too long. */
  *take(text) {
    let start = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', start)) {
      yield* this.#grow(text.slice(start, at));
      const last = this.#whole();
      const line = last.endsWith('\r') ? last.slice(0, -1) : last;
      // Its pieces were all of it.
      if (line !== '' || !this.#cut) yield line;
      this.#cut = false;
      start = at + 1;
    }
    yield* this.#grow(text.slice(start));
  }

  /** What is left, if there is anything. */
  *end() {
    if (this.#length > 0) yield this.#whole();
  }

  *#grow(text) {
    let rest = text;
    while (this.#length + rest.length > this.#maxLength) {
      const room = this.#roomIn(rest);
      this.#add(rest.slice(0, room));
      rest = rest.slice(room);
      this.#cut = true;
      yield this.#whole();
    }
    this.#add(rest);
  }

  /** How much of a text goes into the piece: whole characters, and one at least in each piece. */
  #roomIn(text) {
    const room = this.#maxLength - this.#length;
    // Of a pair the first half is the last that would fit.
    if (text.codePointAt(room - 1) <= 0xffff) return room;
    return room === 1 && this.#length === 0 ? 2 : room - 1;
  }

  #add(text) {
    if (text === '') return;
    this.#parts.push(text);
    this.#length += text.length;
  }

  #whole() {
    const whole = this.#parts.join('');
    this.#parts = [];
    this.#length = 0;
    return whole;
  }
}

module.exports = { linesOf };
