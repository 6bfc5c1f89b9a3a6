'use strict';

/**
 * The binary for a target: beside the sources, as a build in a clone leaves it, or else in a package of
 * its own. Every name is written out, and within a `try`: that is how bundlers find the file, and pass
 * over those that are not installed. Their paths hold for index.js of this folder, too: see `bundleLib`.
 */
function requireBinary(target, unloadable) {
  try {
    switch (target) {
      case 'linux-x64-gnu':
        return require('../scientist-pool.linux-x64-gnu.node');
      case 'linux-arm64-gnu':
        return require('../scientist-pool.linux-arm64-gnu.node');
      case 'linux-x64-musl':
        return require('../scientist-pool.linux-x64-musl.node');
      case 'linux-arm64-musl':
        return require('../scientist-pool.linux-arm64-musl.node');
      case 'darwin-x64':
        return require('../scientist-pool.darwin-x64.node');
      case 'darwin-arm64':
        return require('../scientist-pool.darwin-arm64.node');
      case 'win32-x64-msvc':
        return require('../scientist-pool.win32-x64-msvc.node');
      case 'win32-arm64-msvc':
        return require('../scientist-pool.win32-arm64-msvc.node');
    }
  } catch (error) {
    if (error.code?.startsWith('ERR_DLOPEN')) throw unloadable(error);
  }
  try {
    switch (target) {
      case 'linux-x64-gnu':
        return require('scientist-pool-linux-x64-gnu');
      case 'linux-arm64-gnu':
        return require('scientist-pool-linux-arm64-gnu');
      case 'linux-x64-musl':
        return require('scientist-pool-linux-x64-musl');
      case 'linux-arm64-musl':
        return require('scientist-pool-linux-arm64-musl');
      case 'darwin-x64':
        return require('scientist-pool-darwin-x64');
      case 'darwin-arm64':
        return require('scientist-pool-darwin-arm64');
      case 'win32-x64-msvc':
        return require('scientist-pool-win32-x64-msvc');
      case 'win32-arm64-msvc':
        return require('scientist-pool-win32-arm64-msvc');
    }
  } catch (error) {
    throw unloadable(error);
  }
}

function load() {
  // Not above: they would cost whoever requires this package and makes no pool.
  const path = require('node:path');
  const { faultOf } = require('./binding/binary');
  const { show } = require('./errors');
  const { findHome } = require('./home');
  const { TARGETS, hostTarget } = require('./binding/target');
  const { damaged, otherVersion, unloadable, unsupported } = require('./binding/unloadable');
  const { version } = require('../package.json');

  const target = hostTarget();
  if (!TARGETS.includes(target)) throw unsupported(target);
  const home = findHome();
  const file = home?.find(target) ?? null;
  const fault = file === null ? null : faultOf(file);
  if (fault !== null) throw damaged(target, fault, home);
  const native = requireBinary(target, (error) => unloadable(target, error, home));
  // Some bundlers give the path of a file that they have copied.
  if (typeof native !== 'object') {
    throw unloadable(target, new Error(`${show(native)} stands in its place`), home);
  }
  if (native.VERSION !== version) throw otherVersion(target, native.VERSION, version, home);
  // The programs that belong to it are beside it, wherever it is.
  if (file !== null) native.setPrograms(path.dirname(file));
  return native;
}

let binding;

/**
 * The native binding, loaded on first use: requiring this package loads nothing else.
 *
 * @returns {{ NativePool: Function, NativeCall: Function }}
 */
function loadNative() {
  binding ??= load();
  return binding;
}

module.exports = { loadNative };
