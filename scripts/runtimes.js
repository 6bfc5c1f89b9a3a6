'use strict';

// Runtimes of JavaScript, from packages of npm that carry their binaries.

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('../harness/command');
const { say } = require('../harness/console');
const { cache } = require('../harness/paths');

/** What a platform is called in the names of packages. */
const PLATFORMS = { linux: 'linux', darwin: 'darwin', win32: 'win' };

/** `package`: with the binary; `program`: where in it; `args`: before the program's own. */
function packageOf(name, { platform, arch }) {
  if (name === 'bun') {
    const processor = { x64: 'x64', arm64: 'aarch64' }[arch];
    return { name: `@oven/bun-${platform}-${processor}`, program: 'bin/bun', args: [] };
  }
  if (name === 'deno') {
    const library = { linux: '-glibc' }[platform] ?? '';
    // It asks before each right that a program takes.
    return { name: `@deno/${platform}-${arch}${library}`, program: 'deno', args: ['run', '-A'] };
  }
  const program = platform === 'win32' ? 'bin/node.exe' : 'bin/node';
  return { name: `node-${PLATFORMS[platform]}-${arch}@${name}`, program, args: [] };
}

/**
 * A runtime by its name: `bun`, `deno`, or a major version of Node.js. It is in the cache, or installed there.
 *
 * @returns {Promise<{ file: string, args: string[] }>} its program, and what is before a program's name
 */
async function ensureRuntime(name, { platform, arch } = process) {
  const { name: spec, program, args } = packageOf(name, { platform, arch });
  const folder = path.join(cache, 'runtimes', `${name}-${platform}-${arch}`);
  const file = path.join(folder, 'node_modules', spec.replace(/(?<=.)@.*$/, ''), program);
  if (!fs.existsSync(file)) {
    say(`npm install ${spec}, into ${folder}`);
    fs.mkdirSync(folder, { recursive: true });
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--force'];
    await run('npm', ['install', '--prefix', folder, ...flags, spec]);
  }
  return { file, args };
}

module.exports = { ensureRuntime };
