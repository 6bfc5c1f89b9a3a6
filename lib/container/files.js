'use strict';

const { abortable } = require('../call/abort');
const { asBytes, checkSize, isContent, sizeOf } = require('../call/content');
const {
  atSite,
  failure,
  fromRecord,
  invalid,
  panic,
  PoolError,
  show,
  typeOf,
  wrong,
} = require('../errors');
const {
  abortSignal,
  bytes,
  millis,
  MiB,
  oneOf,
  readTable,
  whole,
} = require('../options/value-kinds');
const { checkNames, isRecord } = require('../options/unknown-names');
const { loadNative } = require('../native');

/** What one read of files gives at most unless the call says otherwise. */
const MAX_BYTES = 64 * MiB;
const MAX_FILES = 1000;

/** Bytes that go into the container at once: of a stream no more than that is in memory. */
const BATCH = 4 * MiB;
/** Files that go at once. */
const BATCH_FILES = 1000;

const DEFAULT_MODE = 0o644;

/** Bytes of all patterns of one call. */
const MAX_PATTERNS = MiB;

/** Bytes of a name (`NAME_MAX` of Linux), and of a path as far as the helper takes it. */
const MAX_NAME = 255;
const MAX_PATH = 4000;

const LIMITS = { timeout: millis({ none: true }), signal: abortSignal };
const READ_OPTIONS = { ...LIMITS, maxBytes: bytes(0), encoding: oneOf('utf8', 'buffer') };
const READ_MANY_OPTIONS = { ...READ_OPTIONS, maxFiles: whole(0, 1_000_000) };
const ENTRY_KEYS = ['data', 'mode'];
const mode = whole(0, 0o777, { unit: 'permissions such as 0o755' });

/** Throws unless a path stays below the folder it is relative to, whatever stands there. */
function checkPath(path, where) {
  const fault = pathFault(path);
  if (fault !== undefined) {
    throw invalid(
      `${where} must be a relative path of names with '/' between them; got ${show(path)}: ${fault}`,
    );
  }
  return path;
}

function pathFault(path) {
  if (path === '') return 'it is empty';
  if (path.includes('\0')) return 'it has a NUL in it';
  if (path.startsWith('/')) return 'it is absolute';
  if (Buffer.byteLength(path) > MAX_PATH) return `it has more than ${MAX_PATH} bytes`;
  // Half of a surrogate pair would be written as another character.
  if (!path.isWellFormed()) return 'it has half of a surrogate pair in it';
  for (const name of path.split('/')) {
    if (name === '') return 'a name in it is empty';
    if (name === '.' || name === '..') return `'${name}' may not be in it`;
    if (Buffer.byteLength(name) > MAX_NAME) return `a name in it has more than ${MAX_NAME} bytes`;
  }
  return undefined;
}

function isStream(value) {
  return typeof value === 'object' && typeof value?.[Symbol.asyncIterator] === 'function';
}

/** One file to write: `{ path, where, mode }` with `stream`, or with `bytes` and how many they are. */
function readEntry(path, value) {
  const where = `files[${show(path)}]`;
  checkPath(path, where);
  let data = value;
  let permissions = DEFAULT_MODE;
  if (isRecord(value) && !isStream(value)) {
    checkNames(value, where, ENTRY_KEYS);
    data = value.data;
    if (value.mode !== undefined) permissions = mode.read(value.mode, `${where}.mode`);
  }
  if (isStream(data)) {
    // A Node stream that fails before its turn has come is told then; unheard it would end the process.
    if (typeof data.on === 'function') data.on('error', () => undefined);
    return { path, where, stream: data, mode: permissions };
  }
  if (!isContent(data)) {
    throw invalid(
      `${where} must be a string, a Buffer, a Uint8Array, a stream of these, or { data, mode }; got ${typeOf(data)}`,
    );
  }
  const bytes = asBytes(data, where);
  return { path, where, bytes, size: bytes.length, mode: permissions };
}

/** The files of `writeFiles`, and of `run`. */
function readFileSet(files) {
  if (!isRecord(files)) {
    throw invalid(`files must be an object of paths and contents; got ${typeOf(files)}`);
  }
  return Object.keys(files).map((path) => readEntry(path, files[path]));
}

/** The patterns of `readFiles`, and of `run`. */
function readPatterns(patterns, where) {
  const list = Array.isArray(patterns) ? Array.from(patterns) : [patterns];
  const texts = list.filter((pattern) => typeof pattern === 'string');
  checkSize(
    texts.reduce((sum, pattern) => sum + sizeOf(pattern), 0),
    MAX_PATTERNS,
    where,
  );
  list.forEach((pattern, index) => {
    const which = Array.isArray(patterns) ? `${where}[${index}]` : where;
    if (typeof pattern !== 'string') throw wrong(which, 'a pattern such as "out/*.csv"', pattern);
    checkPath(pattern, which);
    const fault = loadNative().globFault(pattern);
    if (fault !== null) {
      const { message } = fromRecord(JSON.parse(fault));
      throw invalid(`${which}: ${message}`);
    }
  });
  return list;
}

function readOptions(options, table) {
  if (!isRecord(options)) throw wrong('options', 'an object', options);
  return readTable(options, table, 'options');
}

/** The arguments of `writeFiles`. */
function readWriteFiles(files, options = {}) {
  return { entries: readFileSet(files), ...readOptions(options, LIMITS) };
}

/** The arguments of `readFile`. */
function readReadFile(path, options = {}) {
  if (typeof path !== 'string') throw wrong('path', 'a string', path);
  checkPath(path, 'path');
  const given = typeof options === 'string' ? { encoding: options } : options;
  return { path, maxBytes: MAX_BYTES, encoding: 'buffer', ...readOptions(given, READ_OPTIONS) };
}

/** The arguments of `readFiles`. */
function readReadFiles(patterns, options = {}) {
  const defaults = { maxBytes: MAX_BYTES, maxFiles: MAX_FILES, encoding: 'buffer' };
  return {
    patterns: readPatterns(patterns, 'glob'),
    ...defaults,
    ...readOptions(options, READ_MANY_OPTIONS),
  };
}

/** Whether files can be written once more: those that come from a stream can't. */
function canRepeat(entries) {
  return entries.every(({ stream }) => stream === undefined);
}

/**
 * One call about files: its deadline, its signal, and the native side's line to it.
 *
 * `native`: the native container. `end`: ends the container behind the call, which is what an abort and
 * a timeout do.
 */
class Transfer {
  #native;
  #end;
  #site;
  #signal;
  #timeout;
  #deadline;
  #line = new (loadNative().NativeCall)();
  /** `{ error }` once the call is given up on. An object, since a signal's reason can be anything. */
  #over = null;
  /** Ends the wait for a stream. */
  #interrupt = null;

  constructor(native, { timeout, signal }, end, site) {
    this.#native = native;
    this.#end = end;
    this.#site = site;
    this.#signal = signal;
    this.#timeout = timeout;
    this.#deadline = timeout > 0 ? performance.now() + timeout : Infinity;
  }

  #giveUp(error) {
    this.#over ??= { error };
    this.#line.cancel();
    this.#interrupt?.(error);
  }

  /** Does the work, within the bounds of the call. */
  perform(work) {
    const signal = this.#signal;
    const on = { abort: () => this.#giveUp(signal.reason), aborted: this.#end };
    return abortable(signal, on, async () => {
      try {
        return await work(this);
      } catch (error) {
        if (this.#over === null || signal?.aborted) throw error;
        this.#end();
        throw this.#over.error;
      }
    });
  }

  /** ms until the deadline, as the native side takes it: 0 is none. */
  get #left() {
    if (this.#deadline === Infinity) return 0;
    return Math.max(1, Math.ceil(this.#deadline - performance.now()));
  }

  /** The value of one native call. */
  async #settle(promise) {
    let value;
    try {
      value = await promise;
    } catch (cause) {
      throw panic(cause, this.#site);
    }
    if (typeof value !== 'string') return value;
    throw this.#failed(value);
  }

  #failed(json) {
    const error = failure(json, this.#site);
    // The native side knows what was left of it.
    if (error.timeout !== undefined) error.timeout = this.#timeout;
    return error;
  }

  /** Writes them all; gives how many there were, and their bytes. */
  async write(entries) {
    const batch = new Batch((pieces) =>
      this.#settle(this.#native.writeFiles(pieces, this.#left, this.#line)),
    );
    const watched = entries.some(({ stream }) => stream !== undefined) ? this.#watch() : undefined;
    try {
      for (const entry of entries) {
        if (entry.stream === undefined) await this.#writeBytes(entry, batch);
        else await this.#writeStream(entry, batch);
      }
      await batch.send();
      return { files: entries.length, bytes: batch.total };
    } catch (error) {
      // Those that were not read to their end, or not at all, hold what they hold no longer.
      for (const { stream } of entries) release(stream, 'destroy');
      throw error;
    } finally {
      watched?.cancel();
    }
  }

  /** Gives the call up when its container ends; until what it returns is cancelled. */
  #watch() {
    const line = new (loadNative().NativeCall)();
    const watch = async () => {
      const ended = await this.#native.ended(line);
      if (ended !== null) this.#giveUp(failure(ended, this.#site));
    };
    watch().catch((cause) => this.#giveUp(panic(cause, this.#site)));
    return line;
  }

  async #writeBytes(entry, batch) {
    const file = new Upload(entry, batch);
    try {
      checkHeld(entry.bytes, entry.size, entry.where);
      await file.push(entry.bytes);
      await file.complete();
    } catch (error) {
      await this.#discard(file, error);
    }
  }

  async #writeStream(entry, batch) {
    const file = new Upload(entry, batch);
    const timer = this.#deadline === Infinity ? undefined : this.#expire();
    let source;
    try {
      source = entry.stream[Symbol.asyncIterator]();
      if (typeof source?.next !== 'function') {
        throw invalid(`${entry.where}: its iterator has no next(); got ${typeOf(source)}`);
      }
      for (;;) {
        const step = await this.#patiently(source.next());
        if (Object(step) !== step) {
          throw invalid(`${entry.where}: its iterator's next() gave ${typeOf(step)}, no object`);
        }
        if (step.done) break;
        await file.push(readChunk(step.value, entry));
      }
      await file.complete();
    } catch (error) {
      // Not waited for: it may be what never answers.
      release(source, 'return');
      await this.#discard(file, error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives the call up at its deadline: the native side only sees to that while it has something to do. */
  #expire() {
    const message =
      'The files were not written in time, and the container was ended: a stream did not come to its end; raise timeout.';
    return setTimeout(() => {
      const details = { timeout: this.#timeout };
      const error = new PoolError('CONTAINER_TERMINATED', message, details);
      this.#giveUp(atSite(error, this.#site));
    }, this.#left);
  }

  /** What a source gives next, unless the call is given up on before. */
  #patiently(promise) {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      // What was under way when it was given up on may have come to its end all the same.
      if (this.#over !== null) reject(this.#over.error);
      Promise.resolve(promise).then(resolve, reject);
    });
  }

  /** Takes away what there is of an incomplete file, and throws why it is one. */
  async #discard({ path, temporary, begun }, error) {
    if (begun) {
      // The failure is told in any case; one that ended the container leaves nothing to take away.
      const gone = this.#native.discardFile(path, temporary, this.#left, this.#line);
      await gone.catch(() => undefined);
    }
    throw error;
  }

  read({ path, maxBytes }) {
    return this.#settle(this.#native.readFile(path, maxBytes, this.#left, this.#line));
  }

  /** `files`, and `faults`: why there are not more. */
  async readAll({ patterns, maxFiles, maxBytes }) {
    const { files, faults } = await this.#settle(
      this.#native.readFiles(patterns, maxFiles, maxBytes, this.#left, this.#line),
    );
    return { files, faults: faults.map((fault) => this.#failed(fault)) };
  }
}

/** A chunk of a stream, as bytes. */
function readChunk(value, { where }) {
  if (isContent(value)) return asBytes(value, `a chunk of ${where}`);
  throw invalid(
    `${where}: a chunk of a stream must be a string, a Buffer or a Uint8Array; got ${typeOf(value)}`,
  );
}

/** Has a stream or its iterator let go of what it holds. A failure in that hides no other. */
async function release(held, method) {
  try {
    await held?.[method]?.();
  } catch {
    // Why it is let go of is told.
  }
}

/** Throws where bytes are not there any more that were: transferred to another thread meanwhile. */
function checkHeld(bytes, size, where) {
  if (bytes.length === size) return;
  throw invalid(`${where} lost its bytes while it was written: its ArrayBuffer was transferred`);
}

/** Pieces of files that go into the container together. */
class Batch {
  #send;
  #pieces = [];
  #size = 0;
  /** Bytes of everything that was added. */
  total = 0;

  /** `send`: gets the pieces, resolves when they are written. */
  constructor(send) {
    this.#send = send;
  }

  get room() {
    return BATCH - this.#size;
  }

  async add(piece) {
    this.#pieces.push(piece);
    this.#size += piece.data.length;
    this.total += piece.data.length;
    if (this.#size >= BATCH || this.#pieces.length >= BATCH_FILES) await this.send();
  }

  async send() {
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#size = 0;
    for (const { data, size, where } of pieces) checkHeld(data, size, where);
    await this.#send(pieces.map(({ size, where, ...piece }) => piece));
  }
}

/** A name that no script can have taken. */
function hiddenName() {
  // With the others it would be a fifth of the time that the package takes to load.
  return `.${require('node:crypto').randomBytes(12).toString('hex')}`;
}

/** A file on its way: cut into pieces wherever a batch is full. */
class Upload {
  path;
  #where;
  /** Stands in its folder until it is complete. No pattern without a dot of its own matches it. */
  temporary = hiddenName();
  #mode;
  #batch;
  #offset = 0;
  #chunks = [];
  #size = 0;

  constructor({ path, where, mode }, batch) {
    this.path = path;
    this.#where = where;
    this.#mode = mode;
    this.#batch = batch;
  }

  /** Whether a piece of it may be in the container. */
  get begun() {
    return this.#offset > 0;
  }

  async push(chunk) {
    let rest = chunk;
    while (this.#size + rest.length > this.#batch.room) {
      const size = this.#batch.room - this.#size;
      this.#keep(rest.subarray(0, size));
      rest = rest.subarray(size);
      await this.#pass(undefined);
    }
    this.#keep(rest);
  }

  complete() {
    return this.#pass(this.#mode);
  }

  #keep(chunk) {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  async #pass(mode) {
    const data = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const { path, temporary } = this;
    const [size, where] = [this.#size, this.#where];
    const piece = { path, temporary, offset: this.#offset, data, mode, size, where };
    checkHeld(data, size, where);
    this.#chunks = [];
    this.#size = 0;
    this.#offset += size;
    await this.#batch.add(piece);
  }
}

/** Files as a result has them: an object without a prototype, for a file may have any name. */
function fileSet(files, encoding) {
  const set = Object.create(null);
  for (const { path, data } of files) set[path] = decoded(data, encoding);
  return set;
}

function decoded(data, encoding) {
  return encoding === 'utf8' ? data.toString('utf8') : data;
}

module.exports = {
  MAX_BYTES,
  MAX_FILES,
  Transfer,
  canRepeat,
  checkPath,
  decoded,
  fileSet,
  hiddenName,
  readFileSet,
  readPatterns,
  readReadFile,
  readReadFiles,
  readWriteFiles,
};
