'use strict';

const kinds = require('./value-kinds');
const { invalid, show, wrong } = require('../errors');
const { checkNames, isRecord } = require('./unknown-names');

/** Of this machine's folders: what no script is to see any of. */
const CLOSED = ['/proc', '/sys', '/dev', '/run', '/var/run', '/boot'];

/** What nothing is to be mounted over or into, as every container has its own. */
const OWN = ['/proc', '/sys', '/dev'];

/** What no script is to see all of, whatever may be shown of it. */
const TOO_MUCH = [
  ...[
    '/',
    '/etc',
    '/var',
    '/var/lib',
    '/var/lib/docker',
    '/var/lib/containerd',
    '/var/lib/containers',
  ],
  ...['/root', '/home', '/Users', '/private', '/private/var', '/private/var/run'],
];

/** Someone's home folder: a folder right under the one that holds them all. */
const HOME = /^\/(?:home|Users)\/[^/]+$/;

const isWithin = (path, folder) => path === folder || path.startsWith(`${folder}/`);

/** Why a file or folder of this machine is not to be shown to a script; `undefined`: it may be. */
function refusal(source) {
  // Not above: who mounts nothing pays nothing.
  const fs = require('node:fs');
  const { homedir } = require('node:os');
  const path = require('node:path');
  if (!path.isAbsolute(source)) return 'it is no absolute path';
  if (path.normalize(source) !== source) return `its plain form is ${show(path.normalize(source))}`;
  const closed = CLOSED.find((folder) => isWithin(source, folder));
  if (closed !== undefined) return `nothing of ${closed} is for scripts`;
  if (TOO_MUCH.includes(source)) return 'it holds more than a script is to see';
  if (isWithin(homedir(), source) || HOME.test(source)) {
    return 'it is a home folder, or has one in it; name a folder that is for scripts';
  }
  let real;
  try {
    real = fs.realpathSync(source);
  } catch (error) {
    return `it can't be found: ${error.code}`;
  }
  if (real !== source) return `a symbolic link leads to ${show(real)}; name that`;
  const status = fs.statSync(source);
  if (!status.isDirectory() && !status.isFile()) return 'it is neither a folder nor a plain file';
  return undefined;
}

const sourcePath = {
  read(value, path) {
    const source = kinds.words.read(value, path);
    const why = refusal(source);
    if (why === undefined) return source;
    throw invalid(`${path} can't be mounted; got ${show(source)}: ${why}`);
  },
};

const targetPath = {
  read(value, path) {
    const target = kinds.words.read(value, path);
    const names = target.split('/').slice(1);
    const isPlain = target.startsWith('/') && !names.some((name) => /^\.{0,2}$/.test(name));
    if (!isPlain)
      throw wrong(path, "a plain absolute path in the container, such as '/data'", target);
    const own = OWN.find((folder) => isWithin(target, folder));
    if (own !== undefined) {
      throw invalid(
        `${path} can't be in ${own}, which is the container's own; got ${show(target)}`,
      );
    }
    return target;
  },
};

const FIELDS = { source: sourcePath, target: targetPath, readOnly: kinds.flag };

const mount = {
  read(value, path) {
    if (!isRecord(value))
      throw wrong(path, "an object such as { source: '/srv', target: '/srv' }", value);
    checkNames(value, path, Object.keys(FIELDS));
    const { readOnly = true } = value;
    const read = (name, given) => FIELDS[name].read(given, `${path}.${name}`);
    return {
      source: read('source', value.source),
      target: read('target', value.target),
      readOnly: read('readOnly', readOnly),
    };
  },
};

/** Files and folders of this machine that are shown in containers. */
const mounts = kinds.listOf(mount, "an array such as [{ source: '/srv/data', target: '/data' }]");

/** What several options say together of what is mounted. */
function checkMounts({ mounts: list, tmpfs, capAdd, 'engine.host': host }) {
  for (const [index, { source, target }] of list.entries()) {
    const path = `mounts[${index}]`;
    const within = (folder) => isWithin(target, folder);
    const memory = Object.keys(tmpfs).find((point) => tmpfs[point] !== false && within(point));
    if (memory !== undefined) {
      throw invalid(`${path}.target can't be in the tmpfs ${memory}; got ${show(target)}`);
    }
    const shares = (other) => within(other.target) || isWithin(other.target, target);
    const other = list.slice(0, index).find(shares)?.target;
    if (other !== undefined) {
      throw invalid(`${path}.target can't share a place with ${other}; got ${show(target)}`);
    }
    const socket = host?.startsWith('unix://') ? host.slice('unix://'.length) : undefined;
    if (socket !== undefined && isWithin(socket, source)) {
      throw invalid(`${path}.source holds the engine's socket; got ${show(source)}`);
    }
  }
  // `null` is an engine's default set, which has no SYS_ADMIN.
  if (list.length > 0 && capAdd?.includes('SYS_ADMIN')) {
    throw invalid(
      'mounts and capAdd with SYS_ADMIN exclude each other: it opens what is read-only',
    );
  }
}

module.exports = { checkMounts, mounts };
