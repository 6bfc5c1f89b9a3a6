'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const { defer } = require('./cleanup');

// A login shell of an ordinary user has no sbin in its PATH; dockerd and debootstrap live there.
const searchPath = [
  ...(process.env.PATH || '').split(path.delimiter),
  ...(process.platform === 'win32' ? [] : ['/usr/local/sbin', '/usr/sbin', '/sbin']),
].filter(Boolean);

const environment = { ...process.env, PATH: [...new Set(searchPath)].join(path.delimiter) };

/** The path of a program, or `null`. */
function findProgram(name) {
  const endings = process.platform === 'win32' ? ['.exe', '.cmd', '.bat'] : [''];
  for (const folder of searchPath) {
    for (const ending of endings) {
      const file = path.join(folder, name + ending);
      try {
        fs.accessSync(file, fs.constants.X_OK);
        if (fs.statSync(file).isFile()) return file;
      } catch {
        // not here
      }
    }
  }
  return null;
}

class CommandError extends Error {
  constructor(command, code, signal, output) {
    const ending = signal ? `was ended by ${signal}` : `ended with code ${code}`;
    super(`${command} ${ending}\n${output.split('\n').slice(-40).join('\n')}`);
    this.name = 'CommandError';
    this.code = code;
    this.output = output;
  }
}

/**
 * Runs a command to its end and resolves with `{ code, output }` (both streams, in order of
 * arrival). A code other than 0 rejects with a `CommandError`, unless `check` is false.
 *
 * - `show`: the reader sees the output as it comes (and it is not collected).
 * - `onLine(line)`: called for each line of either stream.
 * - `low`: it and what it starts give way to all others.
 */
async function run(command, args = [], options = {}) {
  const { show = false, check = true, low = false, onLine, cwd, env } = options;
  const child = spawn(command, args, {
    cwd,
    env: { ...environment, ...env },
    stdio: show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    // npm and npx are batch files there, which only a shell can start.
    shell: process.platform === 'win32' && /^(npm|npx)$/.test(command),
  });
  // Without a pid it could not be started, which comes as an event.
  if (low && child.pid) os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW);
  const kill = defer(() => child.kill('SIGKILL'));
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    readline.createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      onLine?.(line);
    });
  }
  try {
    const [code, signal] = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...ending) => resolve(ending));
    });
    const output = lines.join('\n');
    if (check && code !== 0)
      throw new CommandError(`${command} ${args.join(' ')}`, code, signal, output);
    return { code: code ?? 1, output };
  } finally {
    await kill();
  }
}

module.exports = { environment, findProgram, run };
