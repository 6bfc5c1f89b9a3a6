'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const { defer } = require('../../harness/cleanup');

/** The parent's side of a process under load (`load.js`). */
class Loader {
  #child;
  #questions = 0;

  /** `options`: `engine`, an address; `label`; `seed`. */
  constructor(options) {
    this.#child = fork(path.join(__dirname, 'load.js'), [JSON.stringify(options)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.ended = once(this.#child, 'exit');
    this.kill = defer(this.kill.bind(this));
  }

  /** Has it do one of its deeds; resolves with what came of it. */
  async ask(what) {
    this.#questions += 1;
    const number = this.#questions;
    const answer = new Promise((resolve, reject) => {
      const listen = (message) => {
        if (message.number !== number) return;
        this.#child.off('message', listen);
        if (message.error) reject(new Error(message.error));
        else resolve(message.value);
      };
      this.#child.on('message', listen);
    });
    const gone = this.ended.then(([code, signal]) => {
      throw new Error(`a process under load ended by itself: ${signal ?? code}`);
    });
    this.#child.send({ number, what });
    return Promise.race([answer, gone]);
  }

  /** Ends it with SIGKILL. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

module.exports = { Loader };
