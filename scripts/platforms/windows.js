'use strict';

// Windows, as far as Wine is one. The addon is built with MinGW's linker: Microsoft's libraries are in no package.

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { ensureProgram } = require('../../harness/apt');
const { defer } = require('../../harness/cleanup');
const { run } = require('../../harness/command');
const paths = require('../../harness/paths');
const { ensureRuntime } = require('../runtimes');
const { buildAddon } = require('./tools');

const TARGET = 'x86_64-pc-windows-gnu';

/** The library of Windows by which Rust's gets randomness, for a Wine that has none by this name. */
const RANDOM = `#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) {
  return SystemFunction036(buffer, (ULONG)length);
}
`;

/** Makes a library of Windows of source in C. */
async function makeLibrary(file, source) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-dll-'));
  try {
    const c = path.join(folder, 'source.c');
    fs.writeFileSync(c, source);
    await run('x86_64-w64-mingw32-gcc', ['-shared', '-o', file, c, '-ladvapi32']);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** Wine with a folder of its own, and a Node.js for Windows. */
class Windows {
  #node;
  #folder;
  #binaries;
  #env;

  /** The addon by the name that it has when Microsoft's linker makes it, as the release does. */
  static async build() {
    await ensureProgram('x86_64-w64-mingw32-gcc', ['gcc-mingw-w64-x86-64']);
    // napi's build script looks for one, and nothing is taken from it: symbols are looked up in the process.
    const stub = path.join(paths.cache, 'platforms', 'libnode');
    fs.mkdirSync(stub, { recursive: true });
    await makeLibrary(path.join(stub, 'libnode.dll'), 'int nothing;\n');
    const folder = await buildAddon(TARGET, [], { LIBNODE_PATH: stub });
    const name = (abi) => path.join(folder, `scientist-pool.win32-x64-${abi}.node`);
    fs.renameSync(name('gnu'), name('msvc'));
    return { value: folder };
  }

  static async start(binaries) {
    await ensureProgram('wine', ['wine', 'wine64']);
    const { file } = await ensureRuntime('22', { platform: 'win32', arch: 'x64' });
    const windows = new Windows();
    windows.#folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-wine-'));
    windows.#node = file;
    windows.#binaries = binaries;
    windows.#env = {
      WINEPREFIX: path.join(windows.#folder, 'wine'),
      WINEDEBUG: '-all',
      // Wine's is older than the Windows that Node.js asks for, by its number.
      NODE_SKIP_PLATFORM_CHECK: '1',
    };
    defer(() => windows.#end());
    await run('wine', ['wineboot', '--init'], { env: windows.#env });
    const system = path.join(windows.#env.WINEPREFIX, 'drive_c/windows/system32');
    const random = path.join(system, 'bcryptprimitives.dll');
    if (!fs.existsSync(random)) await makeLibrary(random, RANDOM);
    return { value: windows };
  }

  async #end() {
    await run('wineserver', ['--kill'], { env: this.#env, check: false });
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Runs the plain program. Its output goes to a file: Wine's pipes are none that Node.js can write to. */
  async run(program, args) {
    const file = path.join(this.#folder, 'output');
    const there = path.join(this.#folder, 'package');
    fs.mkdirSync(there, { recursive: true });
    const script = `mount -t overlay -o lowerdir="$1:$2" none "$3" && cd "$3" && shift 3 && exec "$@" > ${file} 2>&1`;
    const words = ['wine', this.#node, program, ...args];
    const { code, output } = await run(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', this.#binaries, paths.root, there, ...words],
      { env: this.#env, check: false, low: true },
    );
    return { code, output: fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : output };
  }

  /** Has a Docker engine of a unix socket listen on loopback, too; gives the address of that. */
  static async listen(host) {
    const socket = host.replace('unix://', '');
    const server = net.createServer((connection) => {
      const engine = net.connect(socket);
      for (const one of [connection, engine]) one.on('error', () => {});
      connection.pipe(engine).pipe(connection);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.unref();
    return `tcp://127.0.0.1:${server.address().port}`;
  }
}

module.exports = { Windows };
