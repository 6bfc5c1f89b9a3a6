'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { SetupError } = require('./cleanup');
const { root } = require('./paths');

/**
 * An engine that is there: `env` is what a process needs to reach it (`DOCKER_HOST` and its TLS
 * variables).
 *
 * @typedef {{ host: string, env: Record<string, string> }} Engine
 */

/** A dockerode client for an engine (development dependency: only after `npm ci`). */
function connect({ env }) {
  const Docker = require('dockerode');
  const { DOCKER_HOST: host, DOCKER_CERT_PATH: certs, DOCKER_TLS_VERIFY: verify } = env;
  const local = /^(?:unix|npipe):\/\/(.*)$/.exec(host);
  if (local) return new Docker({ socketPath: local[1] });
  const url = new URL(host.includes('://') ? host : `tcp://${host}`);
  const secure = url.protocol === 'https:' || Boolean(certs && verify !== undefined);
  const options = {
    host: url.hostname,
    port: url.port || (secure ? 2376 : 2375),
    protocol: secure ? 'https' : 'http',
  };
  if (secure && certs) {
    for (const part of ['ca', 'cert', 'key']) {
      options[part] = fs.readFileSync(path.join(certs, `${part}.pem`));
    }
  }
  return new Docker(options);
}

/** Whether the engine answers `/_ping` within two seconds: `null` if so, else what went wrong. */
async function ping(engine) {
  try {
    await connect(engine).ping({ abortSignal: AbortSignal.timeout(2000) });
    return null;
  } catch (error) {
    return error.code || error.message;
  }
}

/**
 * The Docker engine that the package finds, with the addon as it is built: by `DOCKER_HOST`, the docker CLI's current
 * context, or where engines listen.
 *
 * @returns {Promise<Engine | null>} `null`: nothing is named by `DOCKER_HOST`, and nothing answers
 */
async function findEngine() {
  const { ContainerPoolManager } = require(root);
  const pool = new ContainerPoolManager({ engine: 'docker', poolSize: 0, pull: 'never' });
  const told = new Promise((resolve) => pool.once('engine', resolve));
  try {
    await pool.initialize().catch((error) => {
      // It has answered if the image is all that is wrong.
      if (error.code !== 'IMAGE_NOT_FOUND') throw error;
    });
    const { engine } = await told;
    const { DOCKER_CERT_PATH, DOCKER_TLS_VERIFY } = process.env;
    const env = {
      DOCKER_HOST: engine.address,
      ...(DOCKER_CERT_PATH && { DOCKER_CERT_PATH }),
      ...(DOCKER_TLS_VERIFY && { DOCKER_TLS_VERIFY }),
    };
    return { host: engine.address, env };
  } catch (error) {
    if (error.code !== 'ENGINE_UNAVAILABLE') throw error;
    if (process.env.DOCKER_HOST)
      throw new SetupError(error.message, 'Start that engine, or unset DOCKER_HOST.');
    return null;
  } finally {
    await pool.shutdown({ grace: 0 });
  }
}

const DOCS = 'Install Docker or Podman: https://docs.docker.com/engine/install/';
const GROUP = 'sudo usermod -aG docker "$USER" && newgrp docker';
const SERVICE = `sudo systemctl enable --now docker && ${GROUP}`;

/** Each family of Linux distributions by what its os-release says, with its command. */
const LINUX = [
  [/debian|ubuntu/, `sudo apt-get update && sudo apt-get install -y docker.io && ${GROUP}`],
  [/fedora|rhel|centos/, `sudo dnf install -y moby-engine && ${SERVICE}`],
  [/arch/, `sudo pacman -S --noconfirm docker && ${SERVICE}`],
  [/suse/, `sudo zypper install -y docker && ${SERVICE}`],
  [/alpine/, 'sudo apk add docker && sudo rc-service docker start'],
];

function linuxHint() {
  const file = '/etc/os-release';
  const release = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  const names = [...release.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].map((match) => match[1]).join(' ');
  const install = LINUX.find(([family]) => family.test(names))?.[1] ?? DOCS;
  return `${install}\nOr without root, with Podman: systemctl --user enable --now podman.socket`;
}

/** The commands that bring an engine onto this platform. */
function installHint() {
  switch (process.platform) {
    case 'linux':
      return linuxHint();
    case 'darwin':
      return 'brew install colima docker && colima start   (or Docker Desktop: brew install --cask docker)';
    case 'win32':
      return 'winget install --exact --id Docker.DockerDesktop   (then start Docker Desktop)';
    default:
      return DOCS;
  }
}

module.exports = { connect, findEngine, installHint, ping };
