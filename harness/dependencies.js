'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('./command');
const { say } = require('./console');
const { root } = require('./paths');

/** Whether `node_modules` is what `package-lock.json` asks for, as far as npm's own record tells. */
function areInstalled() {
  const lock = path.join(root, 'package-lock.json');
  const record = path.join(root, 'node_modules', '.package-lock.json');
  return fs.existsSync(record) && fs.statSync(record).mtimeMs >= fs.statSync(lock).mtimeMs;
}

/**
 * Installs what the lock file says, when it is needed. Not by `npm ci`: that refuses a lock file
 * without the optional packages of platforms that a registry does not carry. Install scripts of
 * dependencies are not run: none is needed.
 */
async function installDependencies() {
  if (areInstalled()) return { note: 'up to date' };
  say('npm install: installs the development dependencies into node_modules');
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...flags], { cwd: root });
  return { note: 'installed' };
}

module.exports = { installDependencies };
