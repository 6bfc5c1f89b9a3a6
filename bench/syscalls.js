'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { createInterface } = require('node:readline');
const { pipeline } = require('node:stream/promises');

/** Everything that a namespace is for, a fresh `/proc` and the image's files, and then its Python. */
const CONTAINER = `unshare --user --map-root-user --mount --pid --ipc --uts --net --cgroup --fork \
  --mount-proc --root="$ROOT" python3 -c 'print("ready")'`;

/**
 * What no local engine can beat: the bare system calls in a loop, by util-linux's `unshare`. No limits, no
 * filter, no pool, nobody to talk to. Linux, as root.
 */
class Syscalls {
  #folder;
  #shell;
  #lines;

  /** With the files of the image, as the other engine has them. */
  static async of({ docker, image, labels }) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-root-'));
    const container = await docker.createContainer({ Image: image, Labels: labels });
    try {
      const tar = spawn('tar', ['-xf', '-', '-C', folder], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      const closed = once(tar, 'close');
      await pipeline(await container.export(), tar.stdin);
      await closed;
    } finally {
      await container.remove();
    }
    return new Syscalls(folder);
  }

  constructor(folder) {
    this.#folder = folder;
    // A shell forks faster than Node.js does, whose time is not the kernel's.
    this.#shell = spawn('sh', ['-c', `while read -r _; do ${CONTAINER} 2>&1; done`], {
      env: { ROOT: folder, PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#shell.stdout);
  }

  /** Resolves when Python has come up. Its container ends by itself. */
  async booted() {
    this.#shell.stdin.write('\n');
    const [line] = await once(this.#lines, 'line');
    if (line !== 'ready') throw new Error(line);
  }

  async close() {
    const closed = once(this.#shell, 'close');
    this.#shell.stdin.end();
    await closed;
    fs.rmSync(this.#folder, { recursive: true });
  }
}

module.exports = { Syscalls };
