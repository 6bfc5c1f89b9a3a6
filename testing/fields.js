'use strict';

/** Reads the strings and lists of a payload; the head of `src/runner/supervisor.py` defines them. */
class Fields {
  #payload;
  #position = 0;

  constructor(payload) {
    this.#payload = payload;
  }

  bytes(size) {
    this.#position += size;
    return this.#payload.subarray(this.#position - size, this.#position);
  }

  /** All that is left. */
  rest() {
    return this.#payload.subarray(this.#position);
  }

  number() {
    return this.bytes(4).readUInt32LE();
  }

  /** Of eight bytes; as much as fits a number. */
  long() {
    return Number(this.bytes(8).readBigUInt64LE());
  }

  string() {
    return this.bytes(this.number()).toString();
  }

  list() {
    return Array.from({ length: this.number() }, () => this.string());
  }

  /** Names and values in turn. */
  mapping() {
    const flat = this.list();
    const pairs = flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]]] : []));
    return Object.fromEntries(pairs);
  }
}

module.exports = { Fields };
