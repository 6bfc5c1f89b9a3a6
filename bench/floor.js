'use strict';

const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');

const RUNNER = path.join(__dirname, '..', 'src', 'runner');
const source = (name) => fs.readFileSync(path.join(RUNNER, name));

const MIB = 1024 * 1024;
const NONCE = 16;
/** Nonce, one byte of kind, four bytes of value. */
const TRAILER = NONCE + 1 + 4;
const FRAME_HEADER = 8;

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
 * but write a job and read its trailers. It has no pool, no deadlines, no limits, no checks.
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
    const nonce = randomBytes(NONCE);
    const ready = container.#answer(nonce);
    socket.write(
      Buffer.concat([
        ...program.map(({ length }) => Buffer.from(String(length).padStart(8, '0'))),
        ...program,
        frame('B', [nonce, string(source('spare.py')), list(preload), list(IDLE)]),
      ]),
    );
    const [{ kind, stderr }] = await Promise.all([
      ready,
      engine.call('POST', `/containers/${id}/start`),
    ]);
    if (kind !== 'R') {
      throw new Error(`The warm interpreter did not come up: ${stderr}`);
    }
    return container;
  }

  constructor(engine, id, socket) {
    this.#engine = engine;
    this.#socket = socket;
    this.id = id;
  }

  async execute(script, env = {}, args = []) {
    const nonce = randomBytes(NONCE);
    const answer = this.#answer(nonce);
    this.#socket.write(
      Buffer.concat([
        frame('J', [nonce, Buffer.from('S'), list(Object.entries(env).flat()), list(args)]),
        frame('D', [Buffer.from(script)]),
        frame('E', []),
      ]),
    );
    const { kind, value, stdout, stderr } = await answer;
    return {
      stdout: stdout.trim(),
      stderr: stderr.trim(),
      exitCode: kind === 'E' ? value : 128 + value,
    };
  }

  async destroy() {
    await this.#engine.remove(this.id);
    this.#socket.destroy();
  }

  /** Resolves when both streams have shown the trailer of this nonce. */
  #answer(nonce) {
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
        const first = received.indexOf(nonce);
        const second = first < 0 ? -1 : received.indexOf(nonce, first + TRAILER);
        if (second >= 0 && received.length >= second + TRAILER) {
          settle(resolve, answerOf(received, nonce));
        }
      };
      socket.on('data', take).on('error', fail).on('close', closed);
    });
  }
}

/** Takes the engine's frames apart and cuts each stream at its trailer. */
function answerOf(received, nonce) {
  const streams = { 1: [], 2: [] };
  let at = 0;
  while (at + FRAME_HEADER <= received.length) {
    const end = at + FRAME_HEADER + received.readUInt32BE(at + 4);
    streams[received[at]].push(received.subarray(at + FRAME_HEADER, end));
    at = end;
  }
  const [stdout, stderr] = [streams[1], streams[2]].map((chunks) => Buffer.concat(chunks));
  const trailer = stdout.indexOf(nonce);
  return {
    kind: String.fromCharCode(stdout[trailer + NONCE]),
    value: stdout.readUInt32LE(trailer + NONCE + 1),
    stdout: stdout.toString('utf8', 0, trailer),
    stderr: stderr.toString('utf8', 0, stderr.indexOf(nonce)),
  };
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
