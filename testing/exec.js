'use strict';

const { randomBytes } = require('node:crypto');

const { isOwn, isRelay, serveFiles } = require('./files');
const { frame, output } = require('./frames');

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

  /** Takes the stream of stdin, stdout and stderr. A program that is no supervisor runs once stdin has ended. */
  attach(socket, early) {
    this.running = true;
    if (isRelay(this.#config.Cmd)) {
      // It listens, and no script of this engine connects to anything.
      socket.write(frame('stdout', Buffer.from('\0\0\0\0L\0\0\0\0')));
      socket.on('data', () => {}).on('close', () => this.#exit(0));
      return;
    }
    if (this.#container.isSupervised && isOwn(this.#config.Cmd)) {
      const supervisor = this.#container.supervise(socket, 'exec');
      supervisor.feed(early);
      socket.on('data', (chunk) => supervisor.feed(chunk));
      socket.on('close', () => this.#exit(0));
      return;
    }
    const stdin = [early];
    socket.on('data', (chunk) => stdin.push(chunk));
    socket.on('end', () => this.#run(socket, Buffer.concat(stdin)));
  }

  async #run(socket, stdin) {
    if (isOwn(this.#config.Cmd)) {
      socket.end(output({ stdout: serveFiles(stdin, this.#container.files) }));
      this.#exit(0);
      return;
    }
    const { Cmd: argv, Env = [], WorkingDir: cwd = '' } = this.#config;
    const env = Object.fromEntries(Env.map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
    const container = this.#container;
    const write = (stream, data) => socket.write(frame(stream, data));
    const job = { container, path: 'exec', argv, env, cwd, stdin, write };
    const outcome = await this.#engine.perform(job);
    const { raw, cutAt, exitCode, signal, reason } = outcome;
    const bytes = Buffer.concat([raw, output(outcome)]).subarray(0, cutAt);
    if (reason === 'timeout') {
      socket.write(bytes);
      return;
    }
    socket.end(bytes);
    this.#exit(reason === 'exit' ? exitCode : 128 + signal);
    if (reason === 'lost') container.die();
  }

  #exit(code) {
    this.running = false;
    this.exitCode = code;
  }
}

module.exports = { FakeExec };
