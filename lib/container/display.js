'use strict';

/** What can be the name of a type: no property that objects have by themselves. */
const TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

const BINARY = /^(?:image\/(?!svg\+xml$)|audio\/|video\/|application\/(?:pdf|octet-stream)$)/;

const JSON_TYPE = /^application\/json$|\+json$/;

/** Reads the lists of strings of a bundle; `src/runner/tell.py` defines it. */
class Lists {
  #bytes;
  #position = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  /** `[name, bytes]` in turn. @throws {RangeError} it is cut off */
  pairs() {
    const pairs = [];
    for (let left = this.#number(); left > 1; left -= 2) {
      pairs.push([this.#string().toString('latin1'), this.#string()]);
    }
    return pairs;
  }

  #number() {
    this.#position += 4;
    return this.#bytes.readUInt32LE(this.#position - 4);
  }

  #string() {
    const size = this.#number();
    const end = this.#position + size;
    if (end > this.#bytes.length) throw new RangeError('a string is cut off');
    const string = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return string;
  }
}

/** Data as its type has it. @throws {SyntaxError} it is no JSON */
function dataOf(type, data) {
  // A copy: a picture must not keep alive all that came with it.
  if (BINARY.test(type)) return Buffer.from(data);
  const text = data.toString('utf8');
  return JSON_TYPE.test(type) ? JSON.parse(text) : text;
}

/** One bundle into `display`, and what is not in it into `displayCut`. */
function readBundle(bytes, display, displayCut) {
  const index = display.length;
  const cut = (type, size) =>
    displayCut.push(type === '*' ? everythingElse() : { index, type, bytes: size });
  const lists = new Lists(bytes);
  const bundle = {};
  for (const [type, data] of lists.pairs()) {
    if (!TYPE.test(type)) continue;
    try {
      bundle[type] = dataOf(type, data);
    } catch {
      cut(type, data.length);
    }
  }
  for (const [type, size] of lists.pairs()) cut(type, Number(size.toString('latin1')) || 0);
  if (Object.keys(bundle).length > 0) display.push(bundle);
}

/** Says that there was more, of which nothing is known. */
function everythingElse() {
  return { index: null, type: null, bytes: null };
}

/**
 * What a script has shown, from the native side's bytes. The script's interpreter wrote them: they may be
 * anything, and what is no bundle is as what was cut off.
 *
 * @returns {{ display: object[], displayCut: { index: number | null, type: string | null, bytes: number | null }[] }}
 */
function readShown(bytes, truncated) {
  const display = [];
  const displayCut = [];
  let isWhole = !truncated;
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32LE(at);
    try {
      readBundle(bytes.subarray(at + 4, end), display, displayCut);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      isWhole = false;
    }
    at = end;
  }
  if (!isWhole && !displayCut.some(({ type }) => type === null)) displayCut.push(everythingElse());
  return { display, displayCut };
}

module.exports = { readShown };
