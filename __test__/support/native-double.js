'use strict';

// The native binding in memory, for the tests of the JavaScript layer's own logic: it keeps the
// binding's contract (failures are JSON text, nothing rejects) and does nothing by itself.

let created = 0;

function failureJson(code, message, fields = {}) {
  return JSON.stringify({ code, message, ...fields });
}

function outcome(fields = {}) {
  const { stdout = '', stderr = '', ...rest } = fields;
  const out = Buffer.from(stdout);
  const err = Buffer.from(stderr);
  return {
    stdout: out,
    stderr: err,
    exitCode: 0,
    reason: 'exit',
    signal: null,
    stdoutTruncated: false,
    stderrTruncated: false,
    stdoutBytes: out.length,
    stderrBytes: err.length,
    warm: true,
    dispatchMs: 0.5,
    firstByteMs: 2.5,
    runMs: 4.2,
    totalMs: 4.7,
    ...rest,
  };
}

/** A binding of its own: nothing is shared between two of them. */
function createNativeDouble() {
  const double = { pools: [], jobs: [], cancelled: 0, killed: 0 };

  class NativeCall {
    #cancel;
    #kill;
    #drained = [];
    pending = 0;
    fired = new Promise((resolve) => {
      this.#cancel = resolve;
    });
    killed = new Promise((resolve) => {
      this.#kill = resolve;
    });

    done() {
      this.pending -= 1;
      if (this.pending === 0) for (const resolve of this.#drained.splice(0)) resolve();
    }

    /** Resolves when every chunk that was passed on has been dealt with. */
    /** What was written to stdin, until `reading` is told otherwise. */
    written = [];
    stdinEnded = false;
    reading = async () => true;

    write(bytes) {
      this.written.push(Buffer.from(bytes));
      return this.reading();
    }

    endStdin() {
      this.stdinEnded = true;
    }

    kill() {
      double.killed += 1;
      this.#kill();
    }

    drained() {
      return this.pending === 0
        ? Promise.resolve()
        : new Promise((resolve) => this.#drained.push(resolve));
    }

    cancel() {
      double.cancelled += 1;
      this.#cancel();
    }
  }

  class NativeContainer {
    #end;
    #ending = new Promise((resolve) => {
      this.#end = resolve;
    });
    id = (++created).toString(16).padStart(64, '0');
    status = 'READY';
    expiry = null;
    destroys = 0;

    constructor(pool) {
      this.pool = pool;
      pool.live.set(this.id, this);
    }

    async execute(job, line, onChunk) {
      double.jobs.push(job);
      if (this.status === 'TERMINATED') return this.#terminated();
      this.status = 'BUSY';
      const stopped = Promise.race([this.#ending, line?.fired ?? new Promise(() => {})]);
      let chunks = 0;
      const write = (stream, bytes) => {
        if (onChunk === null) return;
        line.pending += 1;
        chunks += 1;
        onChunk(stream, Buffer.from(bytes));
      };
      const work = async () => {
        const outcome = await double.program(job, { write, stopped, line });
        if (outcome.reason !== 'timeout' && !job.spawned) await line?.drained();
        return typeof outcome === 'string' ? outcome : { chunks, ...outcome };
      };
      const killed = line?.killed.then(() =>
        outcome({ reason: 'signal', signal: 9, exitCode: 137, chunks }),
      );
      const terminated = stopped.then(() => this.#terminated());
      return Promise.race([work(), terminated, killed ?? terminated]);
    }

    writeFiles(pieces, _timeoutMs, line) {
      return this.#transfer(line, () => double.written(pieces));
    }

    discardFile(path, temporary, _timeoutMs, line) {
      return this.#transfer(line, () => double.discarded(path, temporary));
    }

    readFile(path, maxBytes, timeoutMs, line) {
      return this.#transfer(line, () => double.read(path, maxBytes, timeoutMs));
    }

    readFiles(patterns, maxFiles, maxBytes, _timeoutMs, line) {
      return this.#transfer(line, async () => {
        const found = await double.readAll(patterns, maxFiles, maxBytes);
        return Array.isArray(found) ? { files: found, faults: [] } : found;
      });
    }

    /** Resolves as the native side does, also where it is ended meanwhile. */
    async #transfer(line, work) {
      if (this.status === 'TERMINATED') return this.#terminated();
      this.status = 'BUSY';
      const stopped = Promise.race([this.#ending, line.fired]);
      return Promise.race([work(), stopped.then(() => this.#terminated())]);
    }

    ended(line) {
      const unwanted = line.fired.then(() => null);
      return Promise.race([unwanted, this.#ending.then(() => this.#terminated())]);
    }

    async destroy() {
      this.destroys += 1;
      this.status = 'TERMINATED';
      this.#end();
      const answer = await double.removal(this);
      if (answer === null) this.pool.live.delete(this.id);
      return answer;
    }

    #terminated() {
      return failureJson('CONTAINER_TERMINATED', 'the container was destroyed', {
        containerId: this.id,
      });
    }
  }

  class NativePool {
    live = new Map();
    warm = [];
    leased = new Set();
    resizes = [];
    shutdowns = [];
    initializations = 0;
    state = 'new';
    #warmingUp = null;
    #closing = null;

    constructor(configJson, onEvent) {
      double.pools.push(this);
      this.config = JSON.parse(configJson);
      this.size = this.config.pool.poolSize;
      this.onEvent = onEvent;
      if (double.refusal) throw new Error(double.refusal);
    }

    /** Calls at once share one warm-up, and one shutdown, as they do on the native side. */
    initialize() {
      this.#warmingUp ??= this.#warmUp().finally(() => {
        this.#warmingUp = null;
      });
      return this.#warmingUp;
    }

    async #warmUp() {
      this.initializations += 1;
      const answer = await double.warmUp(this);
      while (answer === null && this.warm.length < this.size.min) {
        this.warm.push(new NativeContainer(this));
      }
      return answer;
    }

    tryAcquire() {
      const container = this.warm.shift() ?? null;
      if (container !== null) this.leased.add(container);
      return container;
    }

    async acquire(timeoutMs, line) {
      this.acquireTimeoutMs = timeoutMs;
      const stopped = line?.fired.then(() => failureJson('CONTAINER_TERMINATED', 'cancelled'));
      const lease = double.lease(this).then((answer) => {
        if (answer !== null) return answer;
        const container = new NativeContainer(this);
        this.leased.add(container);
        return container;
      });
      return stopped ? Promise.race([lease, stopped]) : lease;
    }

    poolSize() {
      return this.size.min;
    }

    resize(min, max) {
      this.size = { min, max };
      this.resizes.push(this.size);
    }

    ready() {
      return [...this.warm];
    }

    find(id) {
      return this.live.get(id) ?? null;
    }

    unhonoured() {
      return JSON.stringify(double.unhonoured);
    }

    stats() {
      const engine = { address: 'unix:///double.sock', state: 'healthy', since: 0 };
      return JSON.stringify({ warm: this.warm.length, state: this.state, engine });
    }

    shutdown(graceMs) {
      this.#closing ??= this.#close(graceMs).finally(() => {
        this.#closing = null;
      });
      return this.#closing;
    }

    async #close(graceMs) {
      this.shutdowns.push(graceMs);
      this.state = 'closed';
      const answer = await double.closing(this);
      for (const container of this.live.values()) container.status = 'TERMINATED';
      this.live.clear();
      this.warm = [];
      return answer;
    }
  }

  return Object.assign(double, {
    NativeCall,
    NativeContainer,
    NativePool,
    globFault: (pattern) =>
      pattern.includes('{') ? failureJson('INVALID_ARGUMENT', `${pattern}: no braces`) : null,
    // What a test may put in place: each answers as the native side would, `null` being success.
    program: async () => outcome(),
    warmUp: async () => null,
    lease: async () => null,
    removal: async () => null,
    closing: async () => null,
    written: async () => null,
    discarded: async () => null,
    read: async () => Buffer.alloc(0),
    readAll: async () => [],
    /** What the engine does not honour. */
    unhonoured: [],
  });
}

/** A promise that the test settles itself. */
function deferred() {
  const gate = {};
  gate.promise = new Promise((resolve, reject) => Object.assign(gate, { resolve, reject }));
  return gate;
}

module.exports = { createNativeDouble, deferred, failureJson, outcome };
