'use strict';

const { spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const { canInstall, ensureProgram } = require('./apt');
const { SetupError, defer } = require('./cleanup');
const { environment, run } = require('./command');
const { say, seconds } = require('./console');
const { cache, root } = require('./paths');

const RECIPE = path.join(__dirname, 'recipes', 'machine.sh');
const AGENT = path.join(__dirname, 'recipes', 'agent.py');

/** What is in the checkout and no test in a machine needs. */
const LEFT_OUT = ['target', '.git', 'fuzz', 'docs/benchmarks'];

/** How long a machine may take until it answers: some ten times what a quiet one needs. */
const BOOT_MS = 600_000;

/** What is made by a recipe is kept under a name that changes with it. */
function folderOf(suite, packages) {
  const hash = createHash('sha256').update(packages.join(' '));
  for (const file of [RECIPE, AGENT]) hash.update(fs.readFileSync(file));
  return path.join(cache, 'machines', `${suite}-${hash.digest('hex').slice(0, 12)}`);
}

/**
 * The disk of a machine with packages of a Debian suite, and its kernel: from the cache, or made with debootstrap.
 *
 * @returns {Promise<string>} a folder with `disk`, `vmlinuz` and `initrd`
 */
async function ensureDisk(suite, packages) {
  const folder = folderOf(suite, packages);
  if (fs.existsSync(folder)) return folder;
  if (!canInstall() || process.arch !== 'x64') {
    throw new SetupError(
      `A machine is made of Debian's packages, which needs Linux on x64, root and apt.`,
      'Run this on a Debian machine, as root.',
    );
  }
  await ensureProgram('debootstrap', ['debootstrap', 'debian-archive-keyring']);
  say(`Debian ${suite}: makes the disk of a machine, once, in ${folder}`);
  const begin = performance.now();
  const above = path.dirname(folder);
  fs.mkdirSync(above, { recursive: true });
  await run(
    'setpriv',
    [
      // Ends with this process, in whatever manner that ends.
      ...['--pdeathsig', 'KILL', '--', 'flock', '--no-fork', path.join(above, 'lock')],
      ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['sh', '-c', '[ -e "$1" ] || { out=$1; shift; exec sh "$@" "$out"; }', 'sh', folder],
      ...[RECIPE, suite, packages.join(' '), AGENT],
    ],
    { low: true },
  );
  // What an earlier version of the recipe made, or a run that was killed.
  for (const name of fs.readdirSync(above)) {
    if (name.startsWith(`${suite}-`) && name !== path.basename(folder)) {
      fs.rmSync(path.join(above, name), { recursive: true });
    }
  }
  say(`Debian ${suite}: made in ${seconds(performance.now() - begin)}`);
  return folder;
}

/**
 * What all machines of a run see of this one, read-only: the checkout, this Node.js, and files by name. Gone with
 * the run.
 *
 * @param {Record<string, string>} files where each is to be, below the folder `shared` of a machine
 * @returns {Promise<string>} a file, a squashfs
 */
async function makeShare(files) {
  const program = await ensureProgram('mksquashfs', ['squashfs-tools']);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-share-'));
  defer(() => fs.rmSync(folder, { recursive: true, force: true }));
  const share = path.join(folder, 'share');
  const pseudo = [`node f 755 0 0 cat ${process.execPath}`];
  const folders = new Set(Object.keys(files).map(path.dirname));
  for (const name of folders) if (name !== '.') pseudo.push(`${name} d 755 0 0`);
  for (const [name, file] of Object.entries(files)) {
    pseudo.push(`${name} f ${(fs.statSync(file).mode & 0o777).toString(8)} 0 0 cat ${file}`);
  }
  fs.writeFileSync(path.join(folder, 'pseudo'), `${pseudo.join('\n')}\n`);
  // As it is: to unpack it in a machine without KVM costs more than to read it.
  const plain = ['-noI', '-noD', '-noF', '-noX', '-no-duplicates', '-quiet', '-no-progress'];
  await run(
    program,
    [
      ...[root, share, ...plain, '-all-root', '-pf', path.join(folder, 'pseudo')],
      ...['-e', ...LEFT_OUT.map((name) => path.join(root, name))],
    ],
    { low: true },
  );
  return share;
}

/**
 * A virtual machine: Debian with systemd and cgroup v2, on two processors that qemu plays (no KVM is needed), in no
 * network. Whatever it writes is forgotten with it. It ends with this process, in whatever manner that ends.
 *
 * `/shared` in it is what `makeShare` has made, and `/checkout` a copy of the checkout that may be written to.
 */
class Machine {
  #child;
  #current = null;
  #broken = null;
  #ended;

  constructor(child) {
    this.#child = child;
  }

  /**
   * @param {object} what
   * @param {string} what.disk the folder that `ensureDisk` gave
   * @param {string} what.share what `makeShare` gave
   * @param {number} [what.memory] MiB
   * @param {string[]} [what.kernel] further words of the kernel's command line
   */
  static async start({ disk, share, memory = 4096, kernel = [] }) {
    const qemu = await ensureProgram('qemu-system-x86_64', ['qemu-system-x86']);
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-machine-'));
    const log = path.join(folder, 'console');
    const words = ['root=/dev/vda', 'rw', 'console=ttyS0', 'quiet', 'mitigations=off', ...kernel];
    const child = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', '--', 'nice', '-n', '5', qemu],
        ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
        ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off', '-smp', '2'],
        ...['-m', String(memory), '-kernel', path.join(disk, 'vmlinuz')],
        ...['-initrd', path.join(disk, 'initrd'), '-append', words.join(' ')],
        // What is written goes into a file in TMPDIR that has no name any more.
        ...['-drive', `file=${path.join(disk, 'disk')},format=raw,if=virtio,snapshot=on`],
        ...['-drive', `file=${share},format=raw,if=virtio,readonly=on`],
        ...['-device', 'virtio-rng-pci', '-serial', `file:${log}`],
        // The machine's port is this program's stdin and stdout.
        ...['-chardev', 'stdio,id=agent,signal=off', '-device', 'virtio-serial-pci'],
        ...['-device', 'virtserialport,chardev=agent,name=agent'],
      ],
      { env: { ...environment, TMPDIR: folder }, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const machine = new Machine(child);
    machine.stop = defer(async () => {
      child.kill('SIGKILL');
      await machine.#ended;
      fs.rmSync(folder, { recursive: true, force: true });
    });
    let complaint = '';
    child.stderr.on('data', (chunk) => (complaint += chunk));
    const ready = machine.#listen();
    const late = setTimeout(() => machine.#fail(new Error('it did not boot in time')), BOOT_MS);
    try {
      await ready;
      await machine.run(MOUNT);
    } catch (error) {
      const said = fs.existsSync(log) ? fs.readFileSync(log, 'utf8').slice(-3000) : '';
      throw new SetupError(`The machine did not come up: ${error.message}`, complaint + said);
    } finally {
      clearTimeout(late);
    }
    return machine;
  }

  #listen() {
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#fail(error));
      this.#child.once('close', (code, signal) => {
        this.#fail(new Error(`qemu has ended: ${signal ?? code}`));
        resolve();
      });
    });
    this.#child.stdin.on('error', () => undefined);
    readline.createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line);
      if (answer.out !== undefined) this.#current?.hear(Buffer.from(answer.out, 'base64'));
      else this.#current?.resolve(answer.code ?? 0);
    });
    return this.#answer(() => undefined);
  }

  #fail(error) {
    this.#current?.reject(error);
    this.#broken = error;
  }

  #answer(hear) {
    if (this.#broken) throw this.#broken;
    return new Promise((resolve, reject) => {
      this.#current = { hear, resolve, reject };
    }).finally(() => {
      this.#current = null;
    });
  }

  /**
   * Runs a script of bash as root in it, one at a time; resolves with `{ code, output }` (both streams). A code
   * other than 0 rejects, unless `check` is false.
   *
   * - `onLine(line)`: called for each line of either stream.
   */
  async run(script, { env = {}, check = true, onLine } = {}) {
    const decoder = new TextDecoder();
    let output = '';
    let rest = '';
    const hear = (chunk) => {
      const text = decoder.decode(chunk, { stream: true });
      output += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) onLine?.(line);
    };
    const answer = this.#answer(hear);
    this.#child.stdin.write(`${JSON.stringify({ script, env })}\n`);
    const code = await answer;
    if (rest) onLine?.(rest);
    if (check && code !== 0) {
      const lines = output.split('\n').slice(-40).join('\n');
      throw Object.assign(new Error(`in the machine, code ${code}: ${script}\n${lines}`), {
        hint: '',
        output,
      });
    }
    return { code, output };
  }
}

/** The first thing in a new machine. */
const MOUNT = `set -e
mkdir -p /shared /checkout /var/checkout/upper /var/checkout/work
mount -o ro /dev/vdb /shared
mount -t overlay -o lowerdir=/shared,upperdir=/var/checkout/upper,workdir=/var/checkout/work none /checkout
ln -s /shared/node /usr/local/bin/node
`;

module.exports = { Machine, ensureDisk, makeShare };
