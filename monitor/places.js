'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

// Where processes show their pools: a socket for each, named by its process id. On unixes in a folder
// that its user alone may enter; on Windows as a named pipe.

const PIPE = /^scientist-pool-(\d+)$/;
const SOCKET = /^(\d+)\.sock$/;
const isWindows = process.platform === 'win32';

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
 * Makes the folder. In a folder for everybody somebody else may have been there first, to read what is
 * shown or to show something else.
 */
function prepare() {
  if (isWindows) return;
  fs.mkdirSync(folder(), { recursive: true, mode: 0o700 });
  const { uid, mode } = fs.lstatSync(folder());
  if (uid !== process.getuid() || (mode & 0o077) !== 0) {
    throw new Error(
      `${folder()} must belong to you alone (mode 700): remove it, or set XDG_RUNTIME_DIR`,
    );
  }
}

/** Takes a socket away that nobody listens on, and the folder with the last one. */
function clear(pid) {
  if (isWindows) return;
  fs.rmSync(placeOf(pid), { force: true });
  try {
    fs.rmdirSync(folder());
  } catch {
    // There are others, or it is gone already.
  }
}

/** The process ids that there are sockets of; some may be dead. */
function pids() {
  const [where, pattern] = isWindows ? ['\\\\.\\pipe\\', PIPE] : [folder(), SOCKET];
  try {
    return fs.readdirSync(where).flatMap((name) => pattern.exec(name)?.slice(1).map(Number) ?? []);
  } catch {
    return [];
  }
}

module.exports = { clear, pids, placeOf, prepare };
