'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');

/** Runs source in a Node of its own, in the package's folder; gives its output and how it ended. */
function runNode(source, { module = false, double = false, flags = [], env = {}, onStdout } = {}) {
  const args = [
    ...flags,
    ...(double ? ['--require', path.join(__dirname, 'preload-double.js')] : []),
    ...(module ? ['--input-type=module'] : []),
    '--eval',
    source,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
      onStdout?.(stdout, child);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ stdout, stderr, code, signal }));
  });
}

module.exports = { ROOT, runNode };
