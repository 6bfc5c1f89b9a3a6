'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { PoolError } = require('../errors');
const { TARGETS } = require('./target');

/** The error for a machine that no binary is made for. */
function unsupported(target) {
  return unavailable(target, 'none is made for it', `There are those for ${TARGETS.join(', ')}`);
}

/** The error for a binary with a fault that was found before it was loaded. */
function damaged(target, fault, home) {
  return unavailable(target, fault, renew(home));
}

/** The error for a binary of another version than this package. */
function otherVersion(target, found, version, home) {
  const reason = `it is of version ${found ?? 'unknown'}, and the package of version ${version}`;
  return unavailable(target, reason, renew(home));
}

/** The error for a binary that did not load, from what Node or a bundler's code threw. */
function unloadable(target, cause, home) {
  // Node appends the list of requiring modules; `cause` has it.
  const reason = cause.message.split(/\r?\n/, 1)[0].replace(/\.$/, '');
  const why = cause.code?.startsWith('ERR_DLOPEN') ? unusable : missing;
  return unavailable(target, reason, why(target, cause, home), cause);
}

function unavailable(target, reason, remedy, cause) {
  const message = `The native part of scientist-pool for ${target} could not be loaded: ${reason}. ${remedy}.`;
  return new PoolError('BINDING_UNAVAILABLE', message, { cause });
}

/** What helps where the binary is not there. */
function missing(target, _, home) {
  if (home === null) {
    return 'A bundler left it out: keep scientist-pool out of the bundle, or have it copy the file (docs/bundlers.md)';
  }
  const other = TARGETS.find((name) => name !== target && home.find(name) !== null);
  if (other !== undefined && !home.isClone) {
    return `The one for ${other} is installed: install scientist-pool on the machine it is to run on`;
  }
  return home.isClone
    ? renew(home)
    : `It comes with the package scientist-pool-${target}: install scientist-pool again, without --omit=optional`;
}

/** What helps where the binary is there, and the system or Node refuses it. */
function unusable(_, { code, message }, home) {
  if (code === 'ERR_DLOPEN_DISABLED') {
    return process.permission === undefined
      ? 'Start Node.js without --no-addons, which NODE_OPTIONS may have, too'
      : 'Start Node.js with --allow-addons: its permission model loads nothing native without it';
  }
  if (message.includes('Permission denied')) return 'Let the user of this process read it';
  if (message.includes('GLIBC')) return 'Use a system with glibc 2.17 or later, or one with musl';
  const [file] = /\/.*?\.node/.exec(message) ?? [];
  if (file !== undefined && isNoexec(file)) {
    return 'It is on a file system that is mounted noexec: mount it without, or install scientist-pool elsewhere';
  }
  return renew(home);
}

function renew(home) {
  return home?.isClone
    ? 'Run `npm run build`'
    : 'Install scientist-pool again, on the machine it is to run on';
}

/** Whether nothing on the file system of a file may be run, as far as Linux tells. */
function isNoexec(file) {
  let mounts;
  try {
    mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
  } catch {
    return false;
  }
  // man 5 proc_pid_mountinfo: the fifth field is where, the sixth how. The last one of the longest counts.
  const [, options] = mounts
    .map((line) => line.split(' ').slice(4, 6))
    .map(([point, options]) => [point.replaceAll('\\040', ' '), options])
    .filter(([point]) => !path.relative(point, file).startsWith('..'))
    .reduce((best, mount) => (mount[0].length >= best[0].length ? mount : best), ['', '']);
  return options.split(',').includes('noexec');
}

module.exports = { damaged, otherVersion, unloadable, unsupported };
