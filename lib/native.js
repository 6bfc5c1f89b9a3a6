'use strict';

const { PoolError } = require('./errors');

/**
 * The suffix of the prebuilt package for this machine, as napi-rs names them
 * (https://napi.rs/docs/cross-build/summary).
 */
function platformSuffix() {
  const { platform, arch } = process;
  if (platform === 'win32') return `win32-${arch}-msvc`;
  if (platform !== 'linux') return `${platform}-${arch}`;
  const glibc = process.report?.getReport().header.glibcVersionRuntime;
  return `linux-${arch}-${glibc === undefined ? 'musl' : 'gnu'}`;
}

function unavailable(cause) {
  const suffix = platformSuffix();
  // Node appends the list of requiring modules; `cause` has it.
  const [reason] = cause.message.split('\n');
  const message =
    `The native part of scientist-pool for ${suffix} could not be loaded: ${reason}. ` +
    `It comes with the package scientist-pool-${suffix}: install again without --omit=optional and ` +
    'on the machine it is to run on, or, in a clone of the sources, run `npm run build`.';
  return new PoolError('BINDING_UNAVAILABLE', message, { cause });
}

let binding;

/**
 * The native binding, loaded on first use: requiring this package loads nothing else.
 *
 * @returns {{ NativePool: Function, NativeCall: Function }}
 */
function loadNative() {
  if (binding === undefined) {
    try {
      binding = require('../binding.js');
    } catch (cause) {
      throw unavailable(cause);
    }
  }
  return binding;
}

module.exports = { loadNative };
