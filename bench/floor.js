'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');

const RUNNER = path.join(__dirname, '..', 'src', 'runner');
const source = (name) => fs.readFileSync(path.join(RUNNER, name));

const MIB = 1024 * 1024;
/** Of a frame of the engine's stream, and of one of the supervisor's. */
const ENGINE_HEAD = 8;
const HEAD = 5;

/** What the package imports while a warm interpreter waits for its job. */
const IDLE = ['json', 'traceback'];

/** A container as the package makes it by default, but for who made it. */
const HARDENED = {
  User: '65534:65534',
  Env: ['HOME=/tmp'],
  WorkingDir: '/tmp',
  HostConfig: {
    NetworkMode: 'none',
    Memory: 128 * MIB,
    MemorySwap: 128 * MIB,
    PidsLimit: 50,
    CpuQuota: 50_000,
    CpuPeriod: 100_000,
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    Tmpfs: { '/tmp': 'rw,nosuid,nodev,exec,mode=1777,size=67108864' },
    ShmSize: 16 * MIB,
    IpcMode: 'private',
    Ulimits: [
      { Name: 'nofile', Soft: 1024, Hard: 1024 },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: 64 * MIB, Hard: 64 * MIB },
    ],
    LogConfig: { Type: 'none' },
    AutoRemove: true,
  },
};

/** The engine's API with nothing around it: one request, one answer. */
class PlainEngine {
  #transport;
  #address;

  /** @param {import('docker-modem')} modem tells where the engine is, and is not used beyond that */
  static async at(modem) {
    if (modem.protocol === 'ssh') {
      throw new Error('The plain client speaks to sockets and TCP only, not over SSH');
    }
    const { socketPath } = modem;
    const address = modem.host
      ? { host: modem.host, port: modem.port, ca: modem.ca, cert: modem.cert, key: modem.key }
      : { socketPath: typeof socketPath === 'function' ? await socketPath() : socketPath };
    return new PlainEngine(modem.protocol === 'https' ? https : http, address);
  }

  constructor(transport, address) {
    this.#transport = transport;
    this.#address = address;
  }

  /** Resolves with the answer's body, parsed; rejects where the status is no success. */
  call(method, url, body) {
    return new Promise((resolve, reject) => {
      const request = this.#request(method, url, body && { 'content-type': 'application/json' });
      request.once('response', (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode >= 300) {
            reject(new Error(`${method} ${url}: ${response.statusCode} ${text}`));
          } else {
            resolve(text && JSON.parse(text));
          }
        });
      });
      request.once('error', reject);
      request.end(body && JSON.stringify(body));
    });
  }

  /** Resolves with the raw connection to the container's standard streams. */
  attach(id) {
    return new Promise((resolve, reject) => {
      const query = 'stream=1&stdin=1&stdout=1&stderr=1';
      const request = this.#request('POST', `/containers/${id}/attach?${query}`, {
        connection: 'Upgrade',
        upgrade: 'tcp',
      });
      request.once('upgrade', (_response, socket) => resolve(socket));
      request.once('response', ({ statusCode }) => reject(new Error(`attach: ${statusCode}`)));
      request.once('error', reject);
      request.end();
    });
  }

  /** Create and start of a container that sleeps; resolves with its id. What no design can beat. */
  async startSleeping(image, labels) {
    const id = await this.create({
      Image: image,
      Entrypoint: ['sleep', 'infinity'],
      Labels: labels,
      ...HARDENED,
    });
    await this.call('POST', `/containers/${id}/start`);
    return id;
  }

  async create(config) {
    return (await this.call('POST', '/containers/create', config)).Id;
  }

  remove(id) {
    return this.call('DELETE', `/containers/${id}?force=1`);
  }

  #request(method, path, headers) {
    return this.#transport.request({ ...this.#address, method, path, headers });
  }
}

/**
 * The floor: the package's own supervisor in the same container, and a client that does nothing
 * but write a job and read its answer. It has no pool, no deadlines, no limits, no checks.
 * The protocol is described at the head of `src/runner/supervisor.py`.
 */
class FloorContainer {
  #engine;
  #socket;

  /** Resolves when the warm interpreter has said that it is ready. */
  static async create(engine, image, labels, preload = []) {
    const id = await engine.create({
      Image: image,
      Entrypoint: ['python3', '-I', '-S', '-c', source('boot.py').toString()],
      Labels: labels,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      ...HARDENED,
    });
    const socket = await engine.attach(id);
    const container = new FloorContainer(engine, id, socket);
    const program = [source('launch.py'), source('supervisor.py')];
    const ready = container.#answer();
    socket.write(
      Buffer.concat([
        ...program.map(({ length }) => Buffer.from(String(length).padStart(8, '0'))),
        ...program,
        frame('B', [string(source('spare.py')), list(preload), list(IDLE)]),
      ]),
    );
    const [{ kind, payload }] = await Promise.all([
      ready,
      engine.call('POST', `/containers/${id}/start`),
    ]);
    if (kind !== 'R') {
      throw new Error(`The warm interpreter did not come up: ${payload}`);
    }
    return container;
  }

  constructor(engine, id, socket) {
    this.#engine = engine;
    this.#socket = socket;
    this.id = id;
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
    await this.#engine.remove(this.id);
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
      const closed = () => fail(new Error(`Container ${this.id} is gone: ${received}`));
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

module.exports = { PlainEngine, FloorContainer };
