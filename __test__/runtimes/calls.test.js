'use strict';

// The plain program that `npm run test:nodes` runs on other runtimes, on this one.

const { execFile } = require('node:child_process');
const path = require('node:path');
const { promisify } = require('node:util');

test('every case passes, and the program ends by itself', async () => {
  const program = path.join(__dirname, 'calls.js');
  const { stdout } = await promisify(execFile)(process.execPath, [program, 'fake']);
  expect(stdout).not.toContain('not ok');
  expect(stdout).toMatch(/\d+ passed, 0 failed\n$/);
});
