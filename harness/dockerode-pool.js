'use strict';

const { PassThrough } = require('node:stream');

const Docker = require('dockerode');

/**
 * The measuring stick: a pool on dockerode that works as the service did which this package
 * replaces. Ready containers wait in an array; each call is one `docker exec` with the script
 * on its stdin; the refill runs one create after another and counts only what is ready, so
 * that several refills at once go beyond the target. There are no deadlines and no limits on
 * output. Nothing here is slower than it had to be, and nothing better than it was.
 */
class DockerodePool {
  /**
   * @param {object} options
   * @param {Docker} [options.docker] the client; without it one is made
   * @param {string} [options.socketPath] the engine's socket, where no client is given
   * @param {string} [options.image]
   * @param {number} [options.poolSize] how many containers are kept ready
   * @param {number} [options.memory] bytes for each container
   * @param {number} [options.pidsLimit]
   * @param {number} [options.cpuQuota] microseconds of CPU time for each `cpuPeriod`
   * @param {number} [options.cpuPeriod] microseconds
   * @param {Record<string, string>} [options.labels]
   * @param {(message: string, error: Error) => void} [options.log] takes background failures
   */
  constructor({
    docker,
    socketPath,
    image = 'python:3.9-slim',
    poolSize = 2,
    memory = 128 * 1024 * 1024,
    pidsLimit = 50,
    cpuQuota = 50_000,
    cpuPeriod = 100_000,
    labels = {},
    log = (message, error) => console.error(message, error),
  } = {}) {
    this.docker = docker ?? new Docker(socketPath ? { socketPath } : undefined);
    this.image = image;
    this.poolSize = poolSize;
    this.limits = {
      Memory: memory,
      PidsLimit: pidsLimit,
      CpuQuota: cpuQuota,
      CpuPeriod: cpuPeriod,
    };
    this.labels = labels;
    this.log = log;
    this.pool = [];
    /** How many refills are under way. The pool does not look at it; a bench has to. */
    this.refills = 0;
  }

  /** Fills the pool, one container after another. A failure is logged, not thrown. */
  async initialize() {
    await this.#refill();
  }

  /** The oldest ready container, or a new one where none is ready; a refill starts behind it. */
  async acquire() {
    const container = this.pool.shift() ?? (await this.#create());
    void this.#refill();
    return container;
  }

  /** Removes the ready containers; those handed out are their holders' to remove. */
  async shutdown() {
    await Promise.all(this.pool.splice(0).map((container) => container.destroy()));
  }

  async #refill() {
    this.refills += 1;
    try {
      while (this.pool.length < this.poolSize) {
        this.pool.push(await this.#create());
      }
    } catch (error) {
      this.log('The refill of the container pool failed:', error);
    } finally {
      this.refills -= 1;
    }
  }

  async #create() {
    const container = await this.docker.createContainer({
      Image: this.image,
      Cmd: ['tail', '-f', '/dev/null'],
      Labels: this.labels,
      HostConfig: { NetworkMode: 'none', ...this.limits },
    });
    await container.start();
    return new DockerodeContainer(container);
  }
}

/** One container of a {@link DockerodePool}. */
class DockerodeContainer {
  #container;

  constructor(container) {
    this.#container = container;
    this.id = container.id;
    this.status = 'READY';
  }

  /**
   * Runs Python source by `docker exec … python3 - ...args`.
   *
   * @param {string} script
   * @param {Record<string, string>} [env] added to the container's environment
   * @param {string[]} [args]
   */
  async execute(script, env = {}, args = []) {
    const result = await this.#exec(
      {
        Cmd: ['python3', '-', ...args],
        Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      },
      script,
    );
    return { ...result, stdout: result.stdout.trim(), stderr: result.stderr.trim() };
  }

  /**
   * Runs a command.
   *
   * @param {string[]} cmd
   * @param {object} [options] further fields of the engine's exec call (`Env`, `WorkingDir`)
   */
  executeCommand(cmd, options = {}) {
    return this.#exec({ ...options, Cmd: cmd });
  }

  /** Kills and removes the container. One that is gone already is no error. */
  async destroy() {
    this.status = 'TERMINATED';
    try {
      await this.#container.remove({ force: true });
    } catch (error) {
      if (error.statusCode !== 404) {
        throw error;
      }
    }
  }

  async #exec(options, input) {
    if (this.status === 'TERMINATED') {
      throw new Error('Cannot execute on a terminated container');
    }
    this.status = 'BUSY';
    const started = Date.now();
    const withInput = input !== undefined;
    const exec = await this.#container.exec({
      ...options,
      AttachStdin: withInput,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: withInput, stdin: withInput });
    const output = this.#collect(stream);
    if (withInput) {
      stream.write(input);
      stream.end();
    }
    const { stdout, stderr } = await output;
    const { ExitCode: exitCode } = await exec.inspect();
    return { stdout, stderr, exitCode, duration: Date.now() - started };
  }

  #collect(stream) {
    return new Promise((resolve, reject) => {
      const chunks = { stdout: [], stderr: [] };
      const sinks = Object.fromEntries(
        Object.entries(chunks).map(([name, list]) => [
          name,
          new PassThrough().on('data', (chunk) => list.push(chunk)),
        ]),
      );
      this.#container.modem.demuxStream(stream, sinks.stdout, sinks.stderr);
      stream.once('error', reject);
      stream.once('end', () =>
        resolve({
          stdout: Buffer.concat(chunks.stdout).toString(),
          stderr: Buffer.concat(chunks.stderr).toString(),
        }),
      );
    });
  }
}

module.exports = { DockerodePool };
