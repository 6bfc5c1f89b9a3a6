'use strict';

const readline = require('node:readline');

const { printable } = require('./printable');

/** One line on a terminal, written over and over, and wiped in the end. Off a terminal it shows nothing. */
class StatusLine {
  #stream;
  #shown = false;

  constructor(stream) {
    this.#stream = stream;
  }

  show(text) {
    if (!this.#stream.isTTY) return;
    this.#clear();
    // A longer one would wrap, and its first row could not be written over.
    this.#stream.write(printable(text, (this.#stream.columns || 80) - 1));
    this.#shown = true;
  }

  wipe() {
    if (this.#shown) this.#clear();
    this.#shown = false;
  }

  #clear() {
    readline.cursorTo(this.#stream, 0);
    readline.clearLine(this.#stream, 0);
  }
}

module.exports = { StatusLine };
