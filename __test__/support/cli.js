'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const PROGRAM = path.join(__dirname, '../../bin/scientist-pool.js');

/** Runs the command line of the package; gives its output and exit code. */
async function cli(args, { env = {}, input = '' } = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, ...env } });
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.on('close', resolve)),
  ]);
  return { stdout, stderr, code };
}

module.exports = { PROGRAM, cli };
