'use strict';

const { readCommandCall, readScriptCall, readSession, readSpawn } = require('../call/arguments');
const { carryOut } = require('./carry-out');
const { Child } = require('./child-process');
const { trace } = require('../diagnostics');
const { ASYNC_DISPOSE } = require('../async-dispose');
const { callSite, failure, invalid, onBehalfOf, panic, readAt } = require('../errors');
const {
  MAX_BYTES,
  MAX_FILES,
  Transfer,
  decoded,
  fileSet,
  readReadFile,
  readReadFiles,
  readWriteFiles,
} = require('./files');
const { withoutOutput } = require('./output');
const { securityOf } = require('./security');
const { Session } = require('./session');
const { Streams } = require('./child-streams');

/** What others may see of files: how many, and their bytes in all. */
const SIZES = {
  writeFiles: (written) => written,
  readFile: (data) => ({ files: 1, bytes: data.length }),
  readFiles: ({ files }) => ({
    files: files.length,
    bytes: files.reduce((sum, { data }) => sum + data.length, 0),
  }),
};

/** An error as a result has it: data, which JSON keeps. */
function fileError({ code, message, path, errno }) {
  return { path: path ?? null, code, errno: errno ?? null, message };
}

/** Whether what ended a call ended its container with it, and its files. */
function endedContainer({ reason, signal }) {
  // Beyond a soft limit of the CPU time the kernel sends another signal, to the process alone.
  return (
    reason === 'timeout' || reason === 'output_limit' || (reason === 'cpu' && signal === 'SIGKILL')
  );
}

// What the pool does to its containers and their users can't; set from inside the class.
let destroyAt;
let handOver;
let performWithFiles;

/** A container of a pool. `index.d.ts` is its documentation. */
class Container {
  #native;
  /** The pool's side of it: `{ settings, unhonoured(), removeBehind(container, site) }`. Keeps the pool alive, too. */
  #owner;
  #id;
  #destroying = null;

  constructor(native, owner) {
    if (owner === undefined) {
      throw invalid('a Container is not made with new: acquire() one from a pool');
    }
    this.#native = native;
    this.#owner = owner;
    this.#id = native.id;
  }

  get id() {
    return this.#id;
  }

  get status() {
    return this.#native.status;
  }

  get expiry() {
    return this.#native.expiry ?? null;
  }

  get security() {
    const { settings, unhonoured } = this.#owner;
    return securityOf(settings, unhonoured());
  }

  async execute(what, ...rest) {
    const site = callSite(execute);
    const { settings } = this.#owner;
    const call = readAt(site, () =>
      Array.isArray(what)
        ? readCommandCall(what, rest[0], settings)
        : readScriptCall(what, rest[0], rest[1], rest[2], settings),
    );
    return this.#perform(call, 0, site);
  }

  async executeCommand(cmd, options) {
    const site = callSite(executeCommand);
    const call = readAt(site, () => readCommandCall(cmd, options, this.#owner.settings));
    return this.#perform(call, 0, site);
  }

  spawn(what, ...rest) {
    const site = callSite(spawn);
    const call = readAt(site, () => readSpawn(what, rest, this.#owner.settings));
    const streams = new Streams(call);
    const result = this.#perform({ ...call, streams }, 0, site);
    return new Child(streams, result.then(withoutOutput));
  }

  async session(options) {
    const site = callSite(session);
    const { settings } = this.#owner;
    const { env, cwd, grace } = readAt(site, () => readSession(options, settings));
    let native;
    try {
      native = await this.#native.interpreter(env, cwd, grace);
    } catch (cause) {
      throw panic(cause, site);
    }
    if (typeof native === 'string') throw failure(native, site);
    return new Session(native, this, settings);
  }

  async writeFiles(files, options) {
    const site = callSite(writeFiles);
    const call = readAt(site, () => readWriteFiles(files, options));
    await this.#transfer('writeFiles', call, site, (transfer) => transfer.write(call.entries));
  }

  async readFile(path, options) {
    const site = callSite(readFile);
    const call = readAt(site, () => readReadFile(path, options));
    const data = await this.#transfer('readFile', call, site, (transfer) => transfer.read(call));
    return decoded(data, call.encoding);
  }

  async readFiles(glob, options) {
    const site = callSite(readFiles);
    const call = readAt(site, () => readReadFiles(glob, options));
    const { files } = await this.#transfer('readFiles', call, site, async (transfer) => {
      const found = await transfer.readAll(call);
      // What went away before it was read is as what was never there.
      const fault = found.faults.find(({ code }) => code !== 'FILE_NOT_FOUND');
      if (fault !== undefined) throw fault;
      return found;
    });
    return fileSet(files, call.encoding);
  }

  /** Does what a call about files asks for; one without a `timeout` of its own has the pool's. */
  #transfer(operation, { timeout = this.#owner.settings.execTimeout, signal }, site, work) {
    const end = () => this.#owner.removeBehind(this, site);
    return trace(
      'files',
      () => ({ ...this.#described(), operation, timeout }),
      () => new Transfer(this.#native, { timeout, signal }, end, site).perform(work),
      SIZES[operation],
    );
  }

  async destroy() {
    return this.#destroy(callSite(destroy));
  }

  #destroy(site) {
    // Who calls while a removal is under way, or after it, shares it: nothing more happens.
    if (this.#destroying !== null) return this.#remove(site);
    return trace(
      'destroy',
      () => this.#described(),
      () => this.#remove(site),
    );
  }

  async #remove(site) {
    this.#destroying ??= this.#native.destroy();
    let outcome;
    try {
      outcome = await this.#destroying;
    } catch (cause) {
      this.#destroying = null;
      throw panic(cause, site);
    }
    if (typeof outcome === 'string') {
      // The engine did not confirm it; the next call asks again.
      this.#destroying = null;
      throw failure(outcome, site);
    }
  }

  async [ASYNC_DISPOSE]() {
    await onBehalfOf(dispose, () => this.destroy());
  }

  /** Runs one call. `waited`: how long its caller was in line for this container, in ms. */
  #perform(call, waited, site) {
    const kind = call.job.script === undefined ? 'command' : 'script';
    return trace(
      'execute',
      () => ({ ...this.#described(), kind, timeout: call.job.timeoutMs }),
      () => {
        const perform = (job, line, onChunk) => this.#native.execute(job, line, onChunk);
        return carryOut(perform, call, () => this.#owner.removeBehind(this, site), waited, site);
      },
      withoutOutput,
    );
  }

  /** Runs one call with files written before it, or collected after it, or both. */
  async #performWithFiles(call, { entries, patterns }, waited, site) {
    const { signal, job } = call;
    const bounds = { timeout: job.timeoutMs, signal };
    if (entries !== undefined) {
      await this.#transfer('writeFiles', bounds, site, (transfer) => transfer.write(entries));
    }
    const result = await this.#perform(call, waited, site);
    if (patterns === undefined) return result;
    const { files, faults } = endedContainer(result)
      ? { files: [], faults: [] }
      : await this.#collect(patterns, bounds, site);
    return { ...result, files: fileSet(files, 'buffer'), fileErrors: faults.map(fileError) };
  }

  /** What there is of the files of a call that has its result: that stands, whatever becomes of them. */
  async #collect(patterns, bounds, site) {
    try {
      return await this.#transfer('readFiles', bounds, site, (transfer) =>
        transfer.readAll({ patterns, maxFiles: MAX_FILES, maxBytes: MAX_BYTES }),
      );
    } catch (error) {
      if (bounds.signal?.aborted) throw error;
      return { files: [], faults: [error] };
    }
  }

  #described() {
    return { image: this.#owner.settings.image, containerId: this.#id };
  }

  static {
    destroyAt = (container, site) => container.#destroy(site);
    handOver = (container, native) => {
      container.#native = native;
      return container;
    };
    performWithFiles = (container, call, around, waited, site) =>
      container.#performWithFiles(call, around, waited, site);
  }
}

// Taken before anybody can put something else in their place: call sites are told by them.
const {
  destroy,
  execute,
  executeCommand,
  readFile,
  readFiles,
  session,
  spawn,
  writeFiles,
  [ASYNC_DISPOSE]: dispose,
} = Container.prototype;

module.exports = { Container, destroyAt, handOver, performWithFiles };
