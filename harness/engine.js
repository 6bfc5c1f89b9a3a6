'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { SetupError } = require('./cleanup');

/**
 * An engine that is there: `env` is what a process needs to reach it (`DOCKER_HOST` and its TLS
 * variables), `source` tells where its address came from.
 *
 * @typedef {{ host: string, env: Record<string, string>, source: string }} Engine
 */

function dockerConfigDir() {
  return process.env.DOCKER_CONFIG || path.join(os.homedir(), '.docker');
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/** The docker CLI's current context; `null` for its `default`, which means the default socket. */
function fromContext() {
  const name =
    process.env.DOCKER_CONTEXT ||
    readJson(path.join(dockerConfigDir(), 'config.json'))?.currentContext;
  if (!name || name === 'default') return null;
  // The CLI's context store names a context's folders by the digest of its name:
  // https://github.com/docker/cli/blob/master/cli/context/store/store.go
  const id = createHash('sha256').update(name).digest('hex');
  const contexts = path.join(dockerConfigDir(), 'contexts');
  const endpoint = readJson(path.join(contexts, 'meta', id, 'meta.json'))?.Endpoints?.docker;
  if (!endpoint?.Host) {
    throw new SetupError(
      `The docker context "${name}" has no address.`,
      'Choose another one: docker context use default',
    );
  }
  const env = { DOCKER_HOST: endpoint.Host };
  const tls = path.join(contexts, 'tls', id, 'docker');
  if (fs.existsSync(path.join(tls, 'ca.pem'))) {
    env.DOCKER_CERT_PATH = tls;
    env.DOCKER_TLS_VERIFY = endpoint.SkipTLSVerify ? '' : '1';
  }
  return { host: endpoint.Host, env, source: `docker context "${name}"` };
}

/** Where engines listen unless told otherwise, the docker CLI's own default first. */
function defaultSockets() {
  if (process.platform === 'win32') {
    return ['npipe:////./pipe/docker_engine', 'npipe:////./pipe/podman-machine-default'];
  }
  const home = os.homedir();
  const own = process.env.XDG_RUNTIME_DIR;
  return [
    '/var/run/docker.sock',
    own && `${own}/docker.sock`,
    `${home}/.docker/run/docker.sock`,
    `${home}/.colima/default/docker.sock`,
    `${home}/.orbstack/run/docker.sock`,
    '/run/podman/podman.sock',
    own && `${own}/podman/podman.sock`,
  ]
    .filter((socket) => socket && fs.existsSync(socket))
    .map((socket) => `unix://${socket}`);
}

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
 * Looks for an engine as the docker CLI does: `DOCKER_HOST`, the current context, the default
 * socket; then where Docker Desktop, rootless Docker and Podman listen.
 *
 * @returns {Promise<Engine | null>} `null`: nothing is configured and nothing answers.
 */
async function findEngine() {
  const { DOCKER_HOST, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY } = process.env;
  const chosen = DOCKER_HOST
    ? {
        host: DOCKER_HOST,
        env: {
          DOCKER_HOST,
          ...(DOCKER_CERT_PATH && { DOCKER_CERT_PATH }),
          ...(DOCKER_TLS_VERIFY && { DOCKER_TLS_VERIFY }),
        },
        source: 'DOCKER_HOST',
      }
    : fromContext();
  if (chosen) {
    if (chosen.host.startsWith('ssh://')) {
      throw new SetupError(
        `${chosen.source} names ${chosen.host}, and engines over SSH are not supported.`,
        'Forward its socket and name that: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST',
      );
    }
    const failure = await ping(chosen);
    if (!failure) return chosen;
    throw new SetupError(
      `${chosen.source} names ${chosen.host}, which does not answer (${failure}).`,
      'Start that engine, or unset DOCKER_HOST / `docker context use default`.',
    );
  }
  for (const host of defaultSockets()) {
    const engine = { host, env: { DOCKER_HOST: host }, source: 'default socket' };
    if (!(await ping(engine))) return engine;
  }
  return null;
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
