'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { setTimeout: delay } = require('node:timers/promises');

const { ensureProgram } = require('./apt');
const { SetupError, defer } = require('./cleanup');
const { environment } = require('./command');
const { connect } = require('./engine');

/** A port on 127.0.0.1 that was free a moment ago. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function configuration(address, folder, htpasswd) {
  // JSON is YAML.
  return JSON.stringify({
    version: 0.1,
    log: { level: 'warn' },
    storage: {
      filesystem: { rootdirectory: path.join(folder, 'data') },
      delete: { enabled: true },
    },
    http: { addr: address },
    ...(htpasswd && { auth: { htpasswd: { realm: 'test', path: htpasswd } } }),
  });
}

/**
 * A registry (Debian's `docker-registry`) on 127.0.0.1, which engines talk to without TLS, with its
 * data in a folder that goes with it.
 */
class Registry {
  #child;
  #folder;

  /** `credentials`: `{ username, password }` that every request must then bring. */
  static async start(credentials = null) {
    const program = await ensureProgram('docker-registry', ['docker-registry']);
    // Somebody may take the port between our look and the registry's: then try the next.
    for (let attempt = 1; ; attempt += 1) {
      const registry = new Registry();
      registry.stop = defer(registry.stop.bind(registry));
      try {
        await registry.#start(program, credentials);
        return registry;
      } catch (error) {
        await registry.stop();
        if (attempt === 3) throw error;
      }
    }
  }

  async #start(program, credentials) {
    this.credentials = credentials;
    this.address = `127.0.0.1:${await freePort()}`;
    this.#folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-registry-'));
    let htpasswd = null;
    if (credentials) {
      htpasswd = path.join(this.#folder, 'htpasswd');
      const digest = await require('bcryptjs').hash(credentials.password, 5);
      fs.writeFileSync(htpasswd, `${credentials.username}:${digest}\n`);
    }
    const config = path.join(this.#folder, 'config.yml');
    fs.writeFileSync(config, configuration(this.address, this.#folder, htpasswd));
    const log = fs.openSync(path.join(this.#folder, 'registry.log'), 'w');
    // Ends with this process, in whatever manner that ends.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, 'serve', config], {
      env: environment,
      stdio: ['ignore', log, log],
      detached: true,
    });
    fs.closeSync(log);
    this.#child.unref();
    let ended = false;
    this.#child.once('error', () => (ended = true));
    this.#child.once('exit', () => (ended = true));
    for (let end = Date.now() + 10_000; ; await delay(50)) {
      if (ended || Date.now() > end) {
        const tail = fs.readFileSync(path.join(this.#folder, 'registry.log'), 'utf8').slice(-2000);
        throw new SetupError(`docker-registry did not come up:\n${tail}`);
      }
      const answer = await fetch(`http://${this.address}/v2/`).catch(() => null);
      if (answer?.status === (credentials ? 401 : 200)) return;
    }
  }

  get #login() {
    // The engine insists on a login for every push, be it an empty one.
    return { ...this.credentials, serveraddress: this.address };
  }

  /** Pushes an image the engine has, under this registry's name, and resolves with that name. */
  async push(engine, image, name = image) {
    const docker = connect(engine);
    const [repo, tag = 'latest'] = name.split(':');
    const target = `${this.address}/${repo}`;
    await docker.getImage(image).tag({ repo: target, tag });
    try {
      const stream = await docker.getImage(`${target}:${tag}`).push({ authconfig: this.#login });
      await new Promise((resolve, reject) => {
        docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
      });
    } finally {
      // Only the tag: a test that pulls the image shall find it missing.
      await docker.getImage(`${target}:${tag}`).remove();
    }
    return `${target}:${tag}`;
  }

  async stop() {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.ref();
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exit;
      clearTimeout(killer);
    }
    if (this.#folder) fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

module.exports = { Registry };
