'use strict';

const { randomUUID } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { containers } = require('./containers');

/**
 * The surroundings of the probes, all of them this test's own: a service on the host's loopback and one
 * on an abstract socket, a file of the host, an environment, and a container next door, each with
 * something in it that nobody else is to see.
 */
class Host {
  #servers;
  #neighbour;
  #folder;

  constructor(fields) {
    this.#servers = fields.servers;
    this.#neighbour = fields.neighbour;
    this.#folder = fields.folder;
    /** Where the services are, for the probes. */
    this.env = fields.env;
    this.containers = fields.containers;
  }

  static async start({ docker, engine, image, labels = {} }) {
    const listen = async (...address) => {
      const server = net.createServer((line) => line.end('hello'));
      server.listen(...address);
      await once(server, 'listening');
      return server;
    };
    const name = `scientist-pool-abuse-${randomUUID()}`;
    const servers = [await listen(0, '127.0.0.1'), await listen(`\0${name}`)];
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'abuse-'));
    fs.chmodSync(folder, 0o755);
    fs.writeFileSync(path.join(folder, 'secret'), 'canary-of-the-host');
    process.env.ABUSE_CANARY = 'canary-of-node';
    const neighbour = await docker.createContainer({
      Image: image,
      Labels: labels,
      Cmd: ['sleep', '600'],
      Env: ['SECRET=canary-of-the-neighbour'],
      HostConfig: { NetworkMode: 'none' },
    });
    await neighbour.start();
    const environment = { ABUSE_CANARY: process.env.ABUSE_CANARY };
    return new Host({
      servers,
      neighbour,
      folder,
      env: { LISTENER_PORT: String(servers[0].address().port), LISTENER_NAME: name },
      containers: containers({ docker, engine, image, labels, folder, environment }),
    });
  }

  async close() {
    delete process.env.ABUSE_CANARY;
    for (const server of this.#servers) server.close();
    fs.rmSync(this.#folder, { recursive: true, force: true });
    await Promise.all(Object.values(this.containers).map((container) => container.close()));
    await this.#neighbour.remove({ force: true });
  }
}

module.exports = { Host };
