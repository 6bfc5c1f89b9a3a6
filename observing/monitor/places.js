'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { invalid } = require('../../lib');

// Where processes show their pools: a socket for each, named by its process id. On unixes in a folder
// that its user alone may enter; on Windows as a named pipe.

const PIPE = /^scientist-pool-(\d+)$/;
const SOCKET = /^(\d+)\.sock$/;
const isWindows = process.platform === 'win32';
/** `undefined` is what is not there. */
const IF_ANY = { throwIfNoEntry: false };

/** The user's own folder: `XDG_RUNTIME_DIR` is one already. */
function folder() {
  const own = process.env.XDG_RUNTIME_DIR;
  return own
    ? path.join(own, 'scientist-pool')
    : path.join(os.tmpdir(), `scientist-pool-${os.userInfo().uid}`);
}

/** The address of a process's socket. */
function placeOf(pid) {
  return isWindows ? `\\\\.\\pipe\\scientist-pool-${pid}` : path.join(folder(), `${pid}.sock`);
}

/**
 * Whether the folder is there. Throws unless it is the user's own, and nobody else's to enter or to put
 * another in its place: somebody else may have been there first, to read what is shown or to show something
 * else. Nothing is read, connected to or removed in it before.
 */
function isThere() {
  if (isWindows) return true;
  const found = fs.lstatSync(folder(), IF_ANY);
  if (found === undefined) return false;
  const uid = process.getuid();
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw invalid(
      `${folder()} must be a folder, no link, that belongs to you alone (mode 700): remove it, or set XDG_RUNTIME_DIR`,
    );
  }
  const above = path.dirname(folder());
  const parent = fs.statSync(above, IF_ANY);
  if (parent !== undefined && ![uid, 0].includes(parent.uid)) {
    throw invalid(
      `${above} belongs to another user, who could exchange what is in it: set XDG_RUNTIME_DIR to a folder of yours`,
    );
  }
  return true;
}

/** Makes the folder. */
function prepare() {
  if (isWindows) return;
  fs.mkdirSync(folder(), { recursive: true, mode: 0o700 });
  isThere();
}

/** Takes a socket away that nobody listens on, and the folder with the last one. */
function clear(pid) {
  if (isWindows || !isThere()) return;
  if (fs.lstatSync(placeOf(pid), IF_ANY)?.isSocket()) fs.rmSync(placeOf(pid), { force: true });
  try {
    fs.rmdirSync(folder());
  } catch {
    // There are others, or it is gone already.
  }
}

/** The process ids that there are sockets of; some may be dead. */
function pids() {
  if (!isThere()) return [];
  const [where, pattern] = isWindows ? ['\\\\.\\pipe\\', PIPE] : [folder(), SOCKET];
  try {
    return fs.readdirSync(where).flatMap((name) => pattern.exec(name)?.slice(1).map(Number) ?? []);
  } catch {
    return [];
  }
}

/** Whether an error of connecting proves that nobody listens there: not every one does. */
function isNobody({ code }) {
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}

module.exports = { clear, isNobody, isThere, pids, placeOf, prepare };
