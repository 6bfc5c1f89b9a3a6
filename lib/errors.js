'use strict';

const { inspect } = require('node:util');

/** What an error may carry beside its code and its message. */
const FIELDS = ['image', 'containerId', 'timeout', 'statusCode', 'path', 'errno', 'result'];

/** Every error of this package. `index.d.ts` lists the codes and what each one means. */
class PoolError extends Error {
  constructor(code, message, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    for (const field of FIELDS) {
      if (details[field] !== undefined) this[field] = details[field];
    }
  }
}

// On the prototype, as the built-in errors have it: not an own field of each error.
Object.defineProperty(PoolError.prototype, 'name', {
  value: 'PoolError',
  writable: true,
  configurable: true,
});

/** The public function on whose behalf another one is being called; see `onBehalfOf`. */
let outermost = null;

/**
 * Remembers where a call came from, for an error that only turns up after an `await`: by then the
 * stack is that of the event loop. V8 keeps the frames and formats them when they are first read, so a
 * call that succeeds pays next to nothing.
 *
 * @param {Function} entry the public function that was called: the frames begin at its caller. By the
 *   function itself, since a bundler gives all files one name.
 */
function callSite(entry) {
  const site = siteOf(outermost ?? entry);
  outermost = null;
  return site;
}

/** The same of a function, or a class, that none is called on behalf of. */
function siteOf(entry) {
  const site = {};
  Error.captureStackTrace(site, entry);
  return site;
}

/** Calls a public function on behalf of another one, `entry`, whose caller is that of both. */
function onBehalfOf(entry, call) {
  outermost ??= entry;
  try {
    return call();
  } finally {
    outermost = null;
  }
}

/** The frames of a call site, beginning at the caller's own line. */
function callerFrames(site) {
  // A custom `Error.prepareStackTrace` may have made it anything.
  return typeof site.stack === 'string' ? site.stack.split('\n').slice(1) : [];
}

/** Gives `error` the stack of the call it belongs to; without one, V8's own stack stays. */
function atSite(error, site) {
  const frames = callerFrames(site);
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}

/**
 * Reads what a public function was given. What is wrong with that is told at its caller's line: V8 keeps ten frames,
 * and by the place where a fault is found most of them are ours.
 */
function readAt(site, read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof PoolError ? atSite(error, site) : error;
  }
}

/** Errors of calls of which nothing reached their container. */
const unsent = new WeakSet();

/** Whether a call that ended with `error` can be made again without running anything twice. */
function isUnsent(error) {
  return unsent.has(error);
}

/** An error from the native side's own record of it: `{ code, message, …fields, cause? }`. */
function fromRecord(record) {
  const cause = record.cause === undefined ? undefined : fromRecord(record.cause);
  const error = new PoolError(record.code, record.message, { ...record, cause });
  // It arose outside of JavaScript: the frames of this function would only mislead.
  error.stack = `${error.name}: ${error.message}`;
  if (record.unsent) unsent.add(error);
  return error;
}

/** The error that the native side reported as JSON text, with the stack of the call it ends. */
function failure(json, site) {
  return atSite(fromRecord(JSON.parse(json)), site);
}

/** The native side never rejects unless it panicked: a fault of this package, not of its user. */
function panic(cause, site) {
  const detail = cause?.message ?? String(cause);
  const message = `Internal error in scientist-pool: ${detail}. The pool goes on; please report this.`;
  return atSite(new PoolError('INTERNAL_ERROR', message, { cause }), site);
}

/** A value as an error message shows it: on one line, and short whatever it is. */
function show(value) {
  return inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 80 })
    .replace(/\s*\n\s*/g, ' ')
    .slice(0, 200);
}

/** The type of a value in words, for values that may be secrets. */
function typeOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  const type = typeof value;
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** A wrong value: which one (`path`), what it should have been, and what it was. */
function wrong(path, expected, value) {
  return invalid(`${path} must be ${expected}; got ${show(value)}`);
}

/** The same of a value that may hold secrets: a script, its input, its environment. */
function wrongType(path, expected, value) {
  return invalid(`${path} must be ${expected}; got ${typeOf(value)}`);
}

function invalid(message) {
  return new PoolError('INVALID_ARGUMENT', message);
}

module.exports = {
  PoolError,
  atSite,
  callSite,
  callerFrames,
  failure,
  fromRecord,
  invalid,
  isUnsent,
  onBehalfOf,
  panic,
  readAt,
  show,
  siteOf,
  typeOf,
  wrong,
  wrongType,
};
