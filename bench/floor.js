'use strict';

const fs = require('node:fs');
const path = require('node:path');

const RUNNER = path.join(__dirname, '..', 'src', 'runner');
const source = (name) => fs.readFileSync(path.join(RUNNER, name));

/** Of a frame of the engine's stream, and of one of the supervisor's. */
const ENGINE_HEAD = 8;
const HEAD = 5;

/** What the package imports while a warm interpreter waits for its job. */
const IDLE = ['json', 'traceback'];

/**
 * What no design can beat on this engine: containers made as the package makes them, by bare calls, and a
 * client that does nothing but write a job and read its answer. No pool, no deadlines, no limits, no
 * checks.
 */
class Floor {
  #docker;
  #config;

  /** Has its containers be as one that the package makes with its defaults. */
  static async at({ docker, image, labels }) {
    const ContainerPoolManager = require('..');
    const pool = new ContainerPoolManager({ image, poolSize: 0 });
    try {
      const { id } = await pool.acquire();
      const { Config, HostConfig } = await docker.getContainer(id).inspect();
      const { Hostname, ...config } = Config;
      return new Floor(docker, { ...config, Labels: labels, HostConfig });
    } finally {
      await pool.shutdown({ grace: 0 });
    }
  }

  constructor(docker, config) {
    this.#docker = docker;
    this.#config = config;
  }

  /** Create and start of a container that sleeps; `destroy()` removes it. */
  async sleeping() {
    const container = await this.#docker.createContainer({
      ...this.#config,
      Entrypoint: ['sleep', 'infinity'],
      OpenStdin: false,
      StdinOnce: false,
    });
    await container.start();
    return { destroy: () => container.remove({ force: true }) };
  }

  /** A container whose warm interpreter has said that it is ready. */
  async booted() {
    const container = await this.#docker.createContainer(this.#config);
    const streams = { stream: true, stdin: true, stdout: true, stderr: true };
    const socket = await container.attach({ ...streams, hijack: true });
    const booted = new FloorContainer(container, socket);
    await Promise.all([booted.boot(), container.start()]);
    return booted;
  }
}

/** The package's supervisor in a container, spoken to as is described at the head of `supervisor.py`. */
class FloorContainer {
  #container;
  #socket;

  constructor(container, socket) {
    this.#container = container;
    this.#socket = socket;
  }

  async boot() {
    const program = [source('launch.py'), source('supervisor.py')];
    const ready = this.#answer();
    this.#socket.write(
      Buffer.concat([
        ...program.map(({ length }) => Buffer.from(String(length).padStart(8, '0'))),
        ...program,
        frame('B', [string(source('spare.py') + source('park.py')), list([]), list(IDLE)]),
      ]),
    );
    const { kind, payload } = await ready;
    if (kind !== 'R') throw new Error(`The warm interpreter did not come up: ${payload}`);
  }

  async execute(script, env = {}, args = []) {
    const answer = this.#answer();
    this.#socket.write(
      Buffer.concat([
        frame('J', [Buffer.from('S'), list(Object.entries(env).flat()), list(args)]),
        frame('D', [Buffer.from(script)]),
        frame('E', []),
      ]),
    );
    const { kind, payload, stdout, stderr } = await answer;
    return {
      stdout: stdout.trim(),
      stderr: stderr.trim(),
      exitCode: kind === 'X' ? payload[0] : 128 + payload[0],
    };
  }

  async destroy() {
    await this.#container.remove({ force: true });
    this.#socket.destroy();
  }

  /** Resolves with the frame that answers a boot or a job, and what came before it. */
  #answer() {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      let received = Buffer.alloc(0);
      const settle = (finish, value) => {
        socket.off('data', take).off('error', fail).off('close', closed);
        finish(value);
      };
      const fail = (error) => settle(reject, error);
      const closed = () => fail(new Error(`Container ${this.#container.id} is gone: ${received}`));
      const take = (chunk) => {
        received = received.length > 0 ? Buffer.concat([received, chunk]) : chunk;
        const answer = answerOf(received);
        if (answer) settle(resolve, answer);
      };
      socket.on('data', take).on('error', fail).on('close', closed);
    });
  }
}

/** Takes the engine's frames apart, and the supervisor's in its stdout; nothing before the last has come. */
function answerOf(received) {
  const told = [];
  for (let at = 0; at + ENGINE_HEAD <= received.length; ) {
    const end = at + ENGINE_HEAD + received.readUInt32BE(at + 4);
    if (received[at] === 1) told.push(received.subarray(at + ENGINE_HEAD, end));
    at = end;
  }
  const bytes = Buffer.concat(told);
  const output = { 1: [], 2: [] };
  for (let at = 0; at + HEAD <= bytes.length; ) {
    const kind = String.fromCharCode(bytes[at]);
    const end = at + HEAD + bytes.readUInt32LE(at + 1);
    if (end > bytes.length) return null;
    const payload = bytes.subarray(at + HEAD, end);
    if (!output[kind]) {
      const [stdout, stderr] = [output[1], output[2]].map((pieces) => `${Buffer.concat(pieces)}`);
      return { kind, payload, stdout, stderr };
    }
    output[kind].push(payload);
    at = end;
  }
  return null;
}

function frame(kind, parts) {
  const payload = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(kind), number(payload.length), payload]);
}

function list(items) {
  return Buffer.concat([number(items.length), ...items.map(string)]);
}

function string(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

module.exports = { Floor };
