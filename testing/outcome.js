'use strict';

const { signalNumber } = require('../lib');

const FIELDS = [
  'stdout',
  'stderr',
  'exitCode',
  'signal',
  'reason',
  'delay',
  'files',
  'display',
  'raw',
  'cutAt',
];
const REASONS = ['exit', 'signal', 'oom', 'timeout', 'lost'];

/** The one that the kernel sends where memory has run out. */
const SIGKILL = 9;

/**
 * An outcome as a test gives it, checked and complete. A name that is none is an error: what it was
 * meant to say would otherwise be left out in silence, and the test would pass or fail for nothing.
 */
function readOutcome(outcome) {
  if (typeof outcome !== 'object' || outcome === null) {
    throw new TypeError(`an outcome is an object such as { stdout: 'text' }; got ${outcome}`);
  }
  for (const name of Object.keys(outcome)) {
    if (!FIELDS.includes(name)) {
      throw new TypeError(`an outcome has no '${name}'; it has ${FIELDS.join(', ')}`);
    }
  }
  const { stdout = '', stderr = '', exitCode = 0, delay = 0, files = {}, raw, cutAt } = outcome;
  const { display = [] } = outcome;
  const signal = typeof outcome.signal === 'string' ? numberOf(outcome.signal) : outcome.signal;
  const { reason = signal === undefined ? 'exit' : 'signal' } = outcome;
  if (!REASONS.includes(reason)) {
    throw new TypeError(`an outcome's reason is one of ${REASONS.join(', ')}; got '${reason}'`);
  }
  const killed = signal ?? SIGKILL;
  return {
    stdout,
    stderr,
    exitCode,
    signal: killed,
    reason,
    delay,
    files,
    display,
    raw: raw ?? Buffer.alloc(0),
    cutAt,
  };
}

function numberOf(name) {
  const number = signalNumber(name);
  if (number === undefined) throw new TypeError(`there is no signal ${name}`);
  return number;
}

module.exports = { readOutcome };
