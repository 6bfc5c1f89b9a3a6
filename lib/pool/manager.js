'use strict';

const { EventEmitter } = require('node:events');

const { abortable } = require('../call/abort');
const { readAcquire, readRun, readShutdown } = require('../call/arguments');
const { Container, destroyAt, handOver, performWithFiles } = require('../container/container');
const { Background, trace } = require('../diagnostics');
const { ASYNC_DISPOSE } = require('../async-dispose');
const {
  PoolError,
  callSite,
  failure,
  fromRecord,
  invalid,
  isUnsent,
  onBehalfOf,
  panic,
  readAt,
  siteOf,
} = require('../errors');
const { LeakDetector } = require('./leaks');
const { loadNative } = require('../native');
const { withoutCaller } = require('../no-caller');
const { differences, nativeConfig, readPoolSize, resolveOptions } = require('../options/options');
const processSignals = require('./process-signals');

// What this module does with a pool and its users can't; set from inside the class.

/** A live container of a pool by its id; `undefined` if there is none. */
let findContainer;
/** What dead processes have left on a pool's engine; contacts it, and removes nothing. */
let findOrphans;
/** The images that a pool's engine keeps for the package; contacts it. */
let findImages;
/** Removes those of them that are not in use, and gives them. */
let pruneImages;
/** Takes an event of the native side. */
let onEvent;
/** The settings of a pool; `null` of a stand-in that a test has put in the place of one. */
let settingsOf;

/**
 * What the native pool calls with each event. The native pool holds this function, and the pool holds
 * the native pool: only weakly may it hold the pool in turn, or neither would ever be collected. It is
 * made out here because a function made in the constructor shares its scope, `this` included.
 */
function listenWeakly(pool) {
  const ref = new WeakRef(pool);
  return (json) => {
    const alive = ref.deref();
    if (alive !== undefined) withoutCaller(() => onEvent(alive, json));
  };
}

/** A pool of containers, and the singleton of the process. `index.d.ts` is its documentation. */
class ContainerPoolManager extends EventEmitter {
  static instance = null;

  static getInstance(options) {
    return readAt(siteOf(getInstance), () => theInstance(options));
  }

  #settings;
  #native;
  #owner;
  #leaks;
  #background;
  /** Calls of `initialize` under way. */
  #initializing = 0;
  /** Removals that go on behind a call which has its answer. */
  #removals = new Set();
  /**
   * Container id → the object that stands for it, so that one container is one object wherever it
   * turns up. Weakly: a leased container that its holder dropped is destroyed when it is collected.
   */
  #known = new Map();
  #forget = new FinalizationRegistry((id) => {
    if (this.#known.get(id)?.deref() === undefined) this.#known.delete(id);
  });

  constructor(options) {
    super();
    this.#settings = readAt(siteOf(new.target), () => resolveOptions(options));
    this.#background = new Background(this.#settings.image);
    this.#owner = {
      settings: this.#settings,
      unhonoured: () => JSON.parse(this.#native.unhonoured()),
      removeBehind: (container, site) => this.#removeBehind(container, site),
    };
    this.#leaks = new LeakDetector(this.#settings.leakTimeout, (leak) => this.#leaked(leak));
    const { NativePool } = loadNative();
    try {
      this.#native = new NativePool(nativeConfig(this.#settings), listenWeakly(this));
    } catch (cause) {
      throw refusal(cause);
    }
    if (this.#settings.handleSignals) processSignals.add(this);
  }

  get image() {
    return this.#settings.image;
  }

  get pool() {
    return Array.from(this.#native.ready(), (native) => this.#wrap(native));
  }

  get poolSize() {
    return this.#native.poolSize();
  }

  set poolSize(value) {
    const { min, max } = readPoolSize(value, this.#settings);
    this.#native.resize(min, max);
  }

  get isInitializing() {
    return this.#initializing > 0;
  }

  async initialize() {
    const site = callSite(initialize);
    if (this.#settings.handleSignals) processSignals.add(this);
    this.#initializing += 1;
    try {
      await settled(() => this.#native.initialize(), site);
    } finally {
      this.#initializing -= 1;
    }
  }

  async acquire(options) {
    const site = callSite(acquire);
    const { timeout, signal } = readAt(site, () => readAcquire(options, this.#settings));
    const container = await this.#lease(timeout, signal, site);
    this.#leaks.hold(container.id, site);
    return container;
  }

  #lease(timeout, signal, site) {
    return trace(
      'acquire',
      () => ({ image: this.image, timeout }),
      () => this.#findLease(timeout, signal, site),
      ({ id }) => ({ containerId: id }),
    );
  }

  #findLease(timeout, signal, site) {
    let line = null;
    return abortable(signal, { abort: () => line?.cancel() }, async () => {
      // A warm container is there at once: no line, and no way over another thread.
      const warm = guarded(() => this.#native.tryAcquire(), site);
      if (typeof warm === 'string') throw failure(warm, site);
      if (warm) return this.#wrap(warm, true);
      if (signal !== undefined) line = new (loadNative().NativeCall)();
      const native = await settled(() => this.#native.acquire(timeout, line), site);
      const container = this.#wrap(native, true);
      // It came in the same instant: its caller has been told otherwise already.
      if (signal?.aborted) this.#removeBehind(container, site);
      return container;
    });
  }

  async run(what, options) {
    const site = callSite(run);
    const { call, timeout, around, repeatable } = readAt(site, () =>
      readRun(what, options, this.#settings),
    );
    const began = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      const container = await this.#lease(timeout, call.signal, site);
      try {
        const waited = performance.now() - began;
        return await performWithFiles(container, call, around, waited, site);
      } catch (error) {
        // It died on its way here, with nothing sent to it: another one may do. Once, as two in a row
        // are no coincidence.
        if (attempt > 1 || !repeatable || !isUnsent(error)) throw error;
      } finally {
        this.#removeBehind(container, site);
      }
    }
  }

  async shutdown(options) {
    const site = callSite(shutdown);
    const grace = readAt(site, () => readShutdown(options));
    try {
      await settled(() => this.#native.shutdown(grace), site);
    } finally {
      await Promise.all(this.#removals);
      // Somebody may have opened it again meanwhile.
      if (this.stats().state === 'closed') processSignals.remove(this);
    }
  }

  async [ASYNC_DISPOSE]() {
    await onBehalfOf(dispose, () => this.shutdown());
  }

  stats() {
    const stats = JSON.parse(this.#native.stats());
    stats.engine = readHealth(stats.engine);
    return stats;
  }

  /** The one object for a container. `leased`: `native` is the lease itself, not a look at it. */
  #wrap(native, leased = false) {
    const { id } = native;
    const known = this.#known.get(id)?.deref();
    if (known !== undefined) return leased ? handOver(known, native) : known;
    const container = new Container(native, this.#owner);
    this.#known.set(id, new WeakRef(container));
    this.#forget.register(container, id);
    return container;
  }

  /** Destroys a container whose caller does not wait for it; `shutdown` does. Never rejects. */
  #removeBehind(container, site) {
    const remove = async () => {
      try {
        await destroyAt(container, site);
      } catch (error) {
        this.#report(error, 'destroy');
      }
    };
    const removal = remove().finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  #onEvent(json) {
    const { type, ...fields } = JSON.parse(json);
    const error = type === 'error' ? fromRecord(fields.error) : undefined;
    this.#background.take(type, fields, error);
    if (error) {
      this.#report(error, fields.during);
      return;
    }
    if (type === 'destroyed' || type === 'lost') this.#leaks.release(fields.id);
    this.#tell(type, type === 'engineState' ? readHealth(fields) : fields);
  }

  /** A container has been held for too long. Without a listener it is a warning of the process. */
  #leaked(leak) {
    if (this.listenerCount('leak') > 0) {
      this.#tell('leak', leak);
      return;
    }
    const seconds = Math.round(leak.heldMs / 1000);
    process.emitWarning(
      `Container ${leak.id} has been held for ${seconds} s: destroy() it in finally, or raise leakTimeout.`,
      { type: 'ScientistPoolWarning', code: 'CONTAINER_LEAK', detail: `Acquired:\n${leak.stack}` },
    );
  }

  /** A failure in the background. Without a listener it is in the counts of `stats()` alone. */
  #report(error, during) {
    if (this.listenerCount('error') > 0) this.#tell('error', error, { during });
  }

  #tell(type, ...details) {
    try {
      this.emit(type, ...details);
    } catch (error) {
      // A listener's own fault: an uncaught exception as from any emitter, but not into native code.
      process.nextTick(() => {
        throw error;
      });
    }
  }

  static {
    findOrphans = (pool) => settled(() => pool.#native.orphans(), callSite(findOrphans));
    findImages = (pool) => settled(() => pool.#native.images(), callSite(findImages));
    pruneImages = (pool) => settled(() => pool.#native.pruneImages(), callSite(pruneImages));
    onEvent = (pool, json) => pool.#onEvent(json);
    settingsOf = (pool) => (#settings in pool ? pool.#settings : null);
    findContainer = (pool, id) => {
      const native = #native in pool ? pool.#native.find(id) : null;
      return native ? pool.#wrap(native) : undefined;
    };
  }
}

// Taken before anybody can put something else in their place: call sites are told by them.
const {
  acquire,
  initialize,
  run,
  shutdown,
  [ASYNC_DISPOSE]: dispose,
} = ContainerPoolManager.prototype;
const { getInstance } = ContainerPoolManager;

/** How an engine stands, its failure as an error. */
function readHealth({ error, ...rest }) {
  return error === undefined ? rest : { ...rest, error: fromRecord(error) };
}

/** What a native call gives; a panic in it is thrown as the error of the call made at `site`. */
function guarded(call, site) {
  try {
    return call();
  } catch (cause) {
    throw panic(cause, site);
  }
}

/** The value of a native call's promise, its failure thrown as the error of the call made at `site`. */
async function settled(call, site) {
  let value;
  try {
    value = await call();
  } catch (cause) {
    throw panic(cause, site);
  }
  if (typeof value === 'string') throw failure(value, site);
  return value;
}

/** `getInstance`: not within the class, to which esbuild gives another name if it names itself. */
function theInstance(options) {
  const existing = ContainerPoolManager.instance;
  if (!existing) {
    ContainerPoolManager.instance = new ContainerPoolManager(options);
  } else if (options !== undefined) {
    const settings = settingsOf(existing);
    const differing = settings === null ? [] : differences(settings, resolveOptions(options));
    if (differing.length > 0) {
      throw invalid(
        `the pool exists already, with other options: ${differing.join('; ')}. ` +
          'Give the options to the first getInstance only, or make a pool of its own with new ContainerPoolManager(options)',
      );
    }
  }
  return ContainerPoolManager.instance;
}

/** What the native pool's constructor threw: its message is a failure as JSON. */
function refusal(cause) {
  try {
    return fromRecord(JSON.parse(cause.message));
  } catch {
    return new PoolError('INTERNAL_ERROR', `The native pool could not be made: ${cause.message}`, {
      cause,
    });
  }
}

module.exports = {
  ContainerPoolManager,
  findContainer,
  findImages,
  findOrphans,
  pruneImages,
};
