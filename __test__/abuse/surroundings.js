'use strict';

const { randomUUID } = require('node:crypto');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { RUN_ENV, canaryOf } = require('./canary');

/** Makes a segment with its argument in it that everybody may read, says its number, and removes it when its stdin
 * ends. */
const SHARE = `
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
number = libc.shmget(0, 4096, 0o1666)
address = libc.shmat(number, None, 0)
text = sys.argv[1].encode()
ctypes.memmove(address, text, len(text))
print(number, flush=True)
sys.stdin.read()
libc.shmctl(number, 0, None)
`;

/**
 * What there is around the probes on this machine, all of it this test's own: services on the loopback, on an
 * abstract socket and on one with a file, a file, a shared segment and an environment, with something in each
 * that nobody else is to see.
 */
class Surroundings {
  #servers;
  #sharer;

  constructor(fields) {
    this.#servers = fields.servers;
    this.#sharer = fields.sharer;
    /** A folder that everybody may look into. */
    this.folder = fields.folder;
    /** Where all that is, for the probes. */
    this.env = fields.env;
  }

  static async start() {
    const listen = async (...address) => {
      const server = net.createServer((line) => {
        // Who has heard enough may go before all is said.
        line.on('error', () => undefined);
        line.end('hello');
      });
      server.listen(...address);
      await once(server, 'listening');
      return server;
    };
    const name = `scientist-pool-abuse-${randomUUID()}`;
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'abuse-'));
    fs.chmodSync(folder, 0o755);
    fs.writeFileSync(path.join(folder, 'secret'), canaryOf('host'));
    const socket = path.join(folder, 'engine.sock');
    const servers = [
      await listen(0, '127.0.0.1'),
      await listen(`\0${name}`),
      await listen({ path: socket, readableAll: true, writableAll: true }),
    ];
    const sharer = spawn('python3', ['-c', SHARE, canaryOf('segment')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [segment] = await once(sharer.stdout, 'data');
    process.env.ABUSE_CANARY = canaryOf('node');
    const env = {
      ...RUN_ENV,
      LISTENER_PORT: String(servers[0].address().port),
      LISTENER_NAME: name,
      ENGINE_SOCKET: socket,
      HOST_NAME: os.hostname(),
      SEGMENT: segment.toString().trim(),
    };
    return new Surroundings({ servers, sharer, folder, env });
  }

  async close() {
    delete process.env.ABUSE_CANARY;
    for (const server of this.#servers) server.close();
    this.#sharer.stdin.end();
    await once(this.#sharer, 'close');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Surroundings };
