'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');

const { defer } = require('./cleanup');
const { environment } = require('./command');

/**
 * Waits until no other process has the file's lock, and takes it: the file is made if it is not there.
 * Resolves with a function that gives it up; it ends with this process at the latest.
 */
async function lock(file) {
  // `cat` ends when nobody can write to it any more.
  const holder = spawn('flock', ['--no-fork', file, 'sh', '-c', 'echo && exec cat'], {
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const unlock = defer(async () => {
    holder.stdin.destroy();
    await ended;
  });
  const [code] = await Promise.race([once(holder.stdout, 'data').then(() => [null]), ended]);
  if (code !== null) throw new Error(`${file} can not be locked: flock ended with code ${code}`);
  return unlock;
}

module.exports = { lock };
