'use strict';

// The real `python3 - ...args`, which nothing of the package has prepared, in containers of a pool's settings.

const { outside } = require('../support/engine.js');
const { docker } = require('../support/docker.js');

/** Scripts run one after another in one container before it is replaced. */
const RUNS_PER_CONTAINER = 30;
/** Longest a script of the corpus may take, real or warm, in milliseconds. */
const DEADLINE = 60_000;

function collect(stream, modem) {
  const chunks = { stdout: [], stderr: [] };
  const sink = (name) => ({ write: (chunk) => chunks[name].push(chunk) });
  modem.demuxStream(stream, sink('stdout'), sink('stderr'));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stream.destroy(new Error('the exec did not end')), DEADLINE);
    stream.on('error', reject);
    stream.on('close', () => clearTimeout(timer));
    stream.on('end', () => {
      clearTimeout(timer);
      resolve({ stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr) });
    });
  });
}

/** `python3 - ...args` by the engine's exec: the script is its stdin, then end of file. */
async function exec(container, { script, env, args }) {
  const exec = await container.exec({
    Cmd: ['python3', '-', ...args],
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const output = collect(stream, container.modem);
  stream.end(script);
  const { stdout, stderr } = await output;
  // The stream may end before the engine has noted the end of the process.
  for (;;) {
    const { Running, ExitCode } = await exec.inspect();
    if (!Running) return { stdout, stderr, exitCode: ExitCode };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** As a command on an engine whose process 1 starts any program as itself: in containers of the pool's. */
class OfPool {
  #pool;
  #container = null;
  #runs = 0;

  constructor(pool) {
    this.#pool = pool;
  }

  another() {
    return new OfPool(this.#pool);
  }

  /** As {@link OfEngine#run}. */
  async run({ script, env, args, alone }) {
    if (alone || this.#runs >= RUNS_PER_CONTAINER) await this.close();
    this.#container ??= await this.#pool.acquire({ timeout: 120_000 });
    this.#runs += 1;
    const result = await this.#container.executeCommand(['python3', '-', ...args], {
      ...{ stdin: script, env, encoding: 'buffer', trim: false },
      ...{ timeout: DEADLINE, maxOutputBytes: 16 << 20 },
    });
    if (alone) await this.close();
    return result;
  }

  async close() {
    const container = this.#container;
    this.#container = null;
    this.#runs = 0;
    await container?.destroy();
  }
}

/**
 * By the engine's exec: in containers as the pool makes them, whose PID 1 only waits.
 *
 * Their settings are read back from a container of the pool, so that the two sides can't drift
 * apart.
 */
class OfEngine {
  #settings;
  #container = null;
  #runs = 0;

  static async like(pool) {
    const template = await pool.acquire();
    const { Config, HostConfig } = await docker().getContainer(template.id).inspect();
    await template.destroy();
    return new OfEngine({
      Image: Config.Image,
      User: Config.User,
      WorkingDir: Config.WorkingDir,
      Env: Config.Env,
      NetworkDisabled: Config.NetworkDisabled,
      Entrypoint: ['sleep', '900'],
      HostConfig: { ...HostConfig, AutoRemove: true },
    });
  }

  constructor(settings) {
    this.#settings = settings;
  }

  /** One more like this one, to run beside it. */
  another() {
    return new OfEngine(this.#settings);
  }

  /** `{ stdout, stderr, exitCode }` of one case; one that is `alone` shares its container with none. */
  async run(item) {
    if (item.alone || this.#runs >= RUNS_PER_CONTAINER) await this.close();
    if (this.#container === null) {
      this.#container = await docker().createContainer(this.#settings);
      await this.#container.start();
    }
    this.#runs += 1;
    const result = await exec(this.#container, item);
    if (item.alone) await this.close();
    return result;
  }

  async close() {
    const container = this.#container;
    this.#container = null;
    this.#runs = 0;
    if (container !== null) await container.remove({ force: true });
  }
}

/** For a pool. */
async function referenceLike(pool) {
  return outside().hasInit ? new OfPool(pool) : OfEngine.like(pool);
}

module.exports = { referenceLike };
