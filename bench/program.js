'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { createInterface } = require('node:readline');

const { root } = require('../harness/paths');

/** Starts one. Its answer is the first line that it writes; it ends by itself, or with its stdin. */
function spawnProgram(file, args, signal) {
  const child = spawn(process.execPath, [path.join(root, file), ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
  });
  const closed = once(child, 'close');
  const answer = Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => JSON.parse(line)),
    closed.then(([code]) => {
      throw new Error(`${file} ended with ${code} and told nothing`);
    }),
  ]);
  // Whoever started it sees both; a stopped measurement looks at neither.
  answer.catch(() => {});
  closed.catch(() => {});
  return {
    answer,
    end() {
      child.stdin.end();
      return closed;
    },
  };
}

module.exports = { spawnProgram };
