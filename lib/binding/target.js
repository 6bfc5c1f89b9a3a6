'use strict';

const fs = require('node:fs');

/** The machines that a binary is made for, as napi-rs names them: those of `napi.targets`. */
const TARGETS = [
  ...['linux-x64-gnu', 'linux-arm64-gnu', 'linux-x64-musl', 'linux-arm64-musl'],
  ...['darwin-x64', 'darwin-arm64', 'win32-x64-msvc', 'win32-arm64-msvc'],
];

/** The machine this process runs on, in the same words. None need be made for it. */
function hostTarget() {
  const { platform, arch } = process;
  if (platform === 'win32') return `win32-${arch}-msvc`;
  if (platform !== 'linux') return `${platform}-${arch}`;
  return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`;
}

/** Whether the C library of this very process is musl: another one may be installed beside it. */
function isMusl() {
  try {
    return fs.readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-');
  } catch {
    // No /proc, or Node's permission model. A report takes ten times as long.
    return process.report.getReport().header.glibcVersionRuntime === undefined;
  }
}

module.exports = { TARGETS, hostTarget };
