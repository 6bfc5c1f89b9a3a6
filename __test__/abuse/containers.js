'use strict';

// The three containers of Docker's that every probe runs in.

const { PassThrough } = require('node:stream');
const { text } = require('node:stream/consumers');

const { ContainerPoolManager } = require('../..');
const { capabilities } = require('./capabilities');

/** A container made by the engine's API alone. */
class PlainContainer {
  #docker;
  #config;

  constructor(docker, config) {
    this.#docker = docker;
    this.#config = config;
  }

  /** Runs a script as its first process; gives what it wrote. */
  async run(script, env) {
    const { Env = [], ...config } = this.#config;
    const container = await this.#docker.createContainer({
      ...config,
      Cmd: ['python3', '-'],
      Env: [...Env, ...Object.entries(env).map((pair) => pair.join('='))],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    try {
      const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
      const stream = await container.attach(options);
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      this.#docker.modem.demuxStream(stream, stdout, stderr);
      const output = Promise.all([text(stdout), text(stderr)]);
      await container.start();
      stream.end(script);
      await container.wait();
      stdout.end();
      stderr.end();
      const [said, complaints] = await output;
      if (said === '') throw new Error(`the probes did not report: ${complaints}`);
      return said;
    } finally {
      await container.remove({ force: true });
    }
  }

  async close() {}
}

/** A container of the package's, with the options that a pool has by default. */
class PooledContainer {
  #pool;

  constructor(options) {
    this.#pool = new ContainerPoolManager({ ...options, poolSize: 0 });
  }

  async run(script, env) {
    const { stdout, stderr } = await this.#pool.run(script, { env, timeout: 120_000 });
    if (stdout === '') throw new Error(`the probes did not report: ${stderr}`);
    return stdout;
  }

  close() {
    return this.#pool.shutdown();
  }
}

/**
 * @param {{ docker: import('dockerode'), engine: string, image: string, labels: Record<string, string>,
 *   folder: string, environment: Record<string, string> }} context `folder`: one of the host's;
 *   `environment`: this process's own
 */
function containers({ docker, engine, image, labels, folder, environment }) {
  const socket = new URL(engine).pathname;
  return {
    /** As the service made them that this package replaces. */
    old: new PlainContainer(docker, {
      Image: image,
      Labels: labels,
      HostConfig: {
        NetworkMode: 'none',
        Memory: 128 << 20,
        PidsLimit: 50,
        CpuPeriod: 100_000,
        CpuQuota: 50_000,
      },
    }),
    ours: new PooledContainer({ engine, image, labels }),
    /** With every protection taken away: a probe that is stopped here shows nothing elsewhere. */
    weakened: new PlainContainer(docker, {
      Image: image,
      Labels: labels,
      User: 'root',
      Env: Object.entries(environment).map((pair) => pair.join('=')),
      HostConfig: {
        CapAdd: capabilities(),
        MaskedPaths: [],
        ReadonlyPaths: [],
        NetworkMode: 'host',
        PidMode: 'host',
        IpcMode: 'host',
        UTSMode: 'host',
        CgroupnsMode: 'host',
        SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined'],
        Ulimits: [
          { Name: 'core', Soft: -1, Hard: -1 },
          { Name: 'nofile', Soft: 4096, Hard: 4096 },
        ],
        Devices: [
          { PathOnHost: '/dev/kmsg', PathInContainer: '/dev/kmsg', CgroupPermissions: 'rwm' },
        ],
        Binds: [
          `${folder}:/mnt:ro`,
          `${socket}:/var/run/docker.sock`,
          '/sys/fs/cgroup:/sys/fs/cgroup',
        ],
      },
    }),
  };
}

module.exports = { containers };
