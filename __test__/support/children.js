'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const { until } = require('../../harness/until');

/** A program of `programs/`, by its name. */
const program = (name) => path.join(__dirname, 'programs', `${name}.js`);

/**
 * Processes with pools of their own, which do what they are told (`programs/holder.js`) and tell what
 * came of it. `afterEach(children.end)` kills those that are left.
 */
class Children {
  #all = [];

  /** Starts one; resolves when it is there. `options` are those of its pool. */
  async start(options, { engine, env } = {}) {
    const process = fork(program('holder'), [], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...globalThis.process.env,
        ...(engine && { SCIENTIST_POOL_TEST_ENGINE: engine }),
        ...env,
      },
    });
    const child = new Child(process);
    this.#all.push(child);
    await child.ask('make', options);
    return child;
  }

  end = async () => {
    for (const child of this.#all.splice(0)) await child.kill('SIGKILL');
  };
}

class Child {
  /** What it wrote. */
  output = '';
  /** What its pool's events were: `[name, ...details]`. */
  events = [];
  #process;
  #questions = 0;
  #answers = new Map();

  constructor(process) {
    this.#process = process;
    for (const stream of [process.stdout, process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
      });
    }
    process.on('message', ({ event, number, error, value }) => {
      if (event) this.events.push(event);
      else this.#answers.get(number)?.(error ? Promise.reject(error) : value);
    });
    this.ended = once(process, 'exit').then(([code, signal]) => ({ code, signal }));
    // A question to a process that ends has no answer; who asks waits for its end.
    this.ended.then(() => this.#answers.clear());
  }

  get pid() {
    return this.#process.pid;
  }

  /** Has it do something; resolves with what came of it, or rejects with the error's fields. */
  ask(what, ...args) {
    this.#questions += 1;
    const number = this.#questions;
    this.#process.send({ number, what, args });
    return new Promise((resolve) => this.#answers.set(number, resolve));
  }

  /** Has it do something of which nothing will be heard, or not by its answer. */
  tell(what, ...args) {
    this.ask(what, ...args).catch(() => {});
  }

  /** Resolves when its pool has told of such an event. */
  seen(name) {
    return until(() => this.events.find(([event]) => event === name), 60_000);
  }

  async kill(signal) {
    this.#process.kill(signal);
    return this.ended;
  }
}

module.exports = { Children, program };
