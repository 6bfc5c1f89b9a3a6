'use strict';

const { randomBytes } = require('node:crypto');

const { output } = require('./frames');

/** A process that the engine itself starts in a container. */
class FakeExec {
  id = randomBytes(32).toString('hex');
  /** `null` until it has ended. */
  exitCode = null;
  running = false;
  #engine;
  #container;
  #config;

  constructor(engine, container, config) {
    this.#engine = engine;
    this.#container = container;
    this.#config = config;
  }

  /** Takes the stream of stdin, stdout and stderr; runs once stdin has ended. */
  attach(socket, early) {
    this.running = true;
    const stdin = [early];
    socket.on('data', (chunk) => stdin.push(chunk));
    socket.on('end', () => this.#run(socket, Buffer.concat(stdin)));
  }

  async #run(socket, stdin) {
    const { Cmd: argv, Env = [], WorkingDir: cwd = '' } = this.#config;
    const env = Object.fromEntries(Env.map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
    const container = this.#container;
    const outcome = await this.#engine.run({ container, path: 'exec', argv, env, cwd, stdin });
    const { raw = Buffer.alloc(0), cutAt, exit = 0, signal } = outcome;
    socket.end(Buffer.concat([raw, output(outcome)]).subarray(0, cutAt));
    this.running = false;
    this.exitCode = signal === undefined ? exit : 128 + signal;
  }
}

module.exports = { FakeExec };
