'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const { canInstall, ensureProgram } = require('./apt');
const { SetupError, defer } = require('./cleanup');
const { environment, findProgram, run } = require('./command');
const { say } = require('./console');
const { connect, installHint, ping } = require('./engine');
const paths = require('./paths');
const { cgroupFolders, processes, removeCgroups } = require('./processes');

/** What `holder.sh` mounts over, for which the folders have to exist on the machine too. */
const MOUNT_POINTS = ['/run/containerd', '/run/docker'];

/** What an engine sets up in a network of its own. */
const FIREWALL = { iptables: true };

const LOCKED = 75;
const SLOTS = 32;

/** Polls until `condition` returns something; `null` when the time is over. */
async function waitFor(condition, ms) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) return null;
    await delay(50);
  }
}

/**
 * A Docker engine of this run's own: storage, sockets, control groups and containerd are its own,
 * and it lives in PID and mount namespaces that end with this process. So it can be stopped, killed
 * and frozen without anybody noticing, and nothing of it can stay behind.
 *
 * The storage (`CACHE/engines/N`) outlives it, images included. Engines running at the same time
 * have different `N`: a file lock decides. Needs Linux and root.
 */
class OwnEngine {
  #holder;
  #daemon = null;
  /** What brought the daemon into the namespaces, and waits for its end. */
  #enter = null;
  #options;
  #madeFolders;

  constructor(slot, holder, options) {
    this.slot = slot;
    this.storage = path.join(paths.cache, 'engines', String(slot));
    this.runtime = path.join(paths.runtime, String(slot));
    this.cgroup = `scientist-pool-${slot}`;
    this.log = path.join(this.storage, 'dockerd.log');
    this.host = `unix://${this.runtime}/docker.sock`;
    this.env = { DOCKER_HOST: this.host };
    this.#holder = holder;
    this.#options = options;
  }

  /**
   * Installs what is missing (saying so) and starts an engine.
   *
   * `options`: further keys of dockerd's `daemon.json`, for example `{ 'live-restore': true }`.
   * `diskSize`: bytes of a storage of its own that is empty at first, and forgotten with the engine.
   * `ownNetwork`: whether it lives in a network of its own, without a way out, in which it sets up bridges
   * and a firewall as engines do; else it is in the machine's, and leaves its firewall alone.
   */
  static async start(options = {}, { diskSize, ownNetwork = false } = {}) {
    if (process.platform !== 'linux' || process.getuid() !== 0) {
      throw new SetupError(
        'An engine of our own can only be started on Linux and as root.',
        installHint(),
      );
    }
    if (!findProgram('dockerd') && !canInstall()) {
      throw new SetupError('No container engine is installed.', installHint());
    }
    await ensureProgram('dockerd', ['docker.io']);
    for (let slot = 1; slot <= SLOTS; slot += 1) {
      const absent = MOUNT_POINTS.filter((folder) => !fs.existsSync(folder));
      const holder = await OwnEngine.#hold(slot, ownNetwork);
      if (!holder) continue;
      const engine = new OwnEngine(slot, holder, { ...(ownNetwork && FIREWALL), ...options });
      engine.#madeFolders = absent;
      engine.stop = defer(engine.stop.bind(engine));
      try {
        await engine.#prepare(diskSize);
        await engine.startDaemon();
        // What a run left that was killed.
        await engine.removeContainers();
      } catch (error) {
        await engine.stop();
        throw error;
      }
      say(`dockerd started at ${engine.host} (storage ${engine.storage})`);
      return engine;
    }
    throw new SetupError(`${SLOTS} engines are running already.`, `See ${paths.runtime}`);
  }

  /** Takes the slot's lock and opens the namespaces; `null`: another run has the slot. */
  static async #hold(slot, ownNetwork) {
    const storage = path.join(paths.cache, 'engines', String(slot));
    fs.mkdirSync(storage, { recursive: true });
    // Before the lock: as long as it is there, no other run removes the mount points.
    fs.mkdirSync(path.join(paths.runtime, String(slot)), { recursive: true, mode: 0o700 });
    const child = spawn(
      'flock',
      [
        ...['--nonblock', '--conflict-exit-code', String(LOCKED), '--no-fork'],
        path.join(storage, 'lock'),
        ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
        ...(ownNetwork ? ['--net'] : []),
        ...['sh', path.join(__dirname, 'holder.sh')],
      ],
      { env: environment, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
    );
    let complaint = '';
    child.stderr.on('data', (chunk) => (complaint += chunk));
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
      child.stdout.once('data', () => resolve(null));
    });
    if (code === LOCKED) return null;
    if (code !== null) {
      throw new SetupError(
        `No namespaces for an engine of our own: ${complaint.trim()}`,
        'This needs the rights to mount (in a container: --privileged).',
      );
    }
    // Only its end counts from here on; it must not keep this process alive by itself.
    child.unref();
    for (const stream of child.stdio) stream.unref();
    return child;
  }

  async #prepare(diskSize) {
    // Whatever is here was left by a run that was killed: we hold the lock.
    for (const name of fs.readdirSync(this.runtime)) {
      fs.rmSync(path.join(this.runtime, name), { recursive: true, force: true });
    }
    for (const folder of cgroupFolders(this.cgroup)) removeCgroups(folder);
    // dockerd would make its networks again, in the machine's own network perhaps.
    fs.rmSync(path.join(this.storage, 'data', 'network'), { recursive: true, force: true });
    const inside = processes().find(({ parent }) => parent === this.#holder.pid);
    this.holderPid = inside.pid;
    this.namespace = inside.namespace;
    if (diskSize !== undefined) await this.#mountDisk(diskSize);
    fs.writeFileSync(this.log, '');
    fs.writeFileSync(this.#configFile, JSON.stringify(this.#config(), null, 2));
  }

  /** Puts a file system of its own in the storage's place; it is gone with the namespace. */
  async #mountDisk(size) {
    const data = path.join(this.storage, 'data');
    fs.mkdirSync(data, { recursive: true });
    await this.run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'none', data);
    // As others see it, through the holder's root.
    this.disk = path.join('/proc', String(this.holderPid), 'root', data);
  }

  get #configFile() {
    return path.join(this.runtime, 'daemon.json');
  }

  #config() {
    return {
      'data-root': path.join(this.storage, 'data'),
      'exec-root': path.join(this.runtime, 'exec'),
      pidfile: path.join(this.runtime, 'docker.pid'),
      hosts: [this.host],
      bridge: 'none',
      iptables: false,
      ip6tables: false,
      'cgroup-parent': `/${this.cgroup}`,
      // systemd would look for our processes outside of their namespace.
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      'log-level': 'warn',
      'shutdown-timeout': 5,
      ...this.#options,
    };
  }

  /** `nsenter`'s way into them. */
  get namespaces() {
    return ['--target', String(this.holderPid), '--mount', '--pid', '--net', '--root'];
  }

  /** Runs a program where the engine runs; resolves when it has succeeded. */
  async run(program, ...args) {
    await run('nsenter', [...this.namespaces, program, ...args]);
  }

  /** Starts dockerd (again) and waits until it answers. */
  async startDaemon() {
    fs.rmSync(path.join(this.runtime, 'docker.pid'), { force: true });
    const log = fs.openSync(this.log, 'a');
    const enter = spawn(
      'nsenter',
      [...this.namespaces, ...['dockerd', '--config-file', this.#configFile]],
      { env: environment, stdio: ['ignore', log, log], detached: true },
    );
    fs.closeSync(log);
    enter.unref();
    let ended = false;
    enter.once('error', () => (ended = true));
    enter.once('exit', () => (ended = true));
    const answers = await waitFor(async () => ended || !(await ping(this)), 60_000);
    if (ended || !answers) {
      const tail = fs.readFileSync(this.log, 'utf8').split('\n').slice(-15).join('\n');
      throw new SetupError(`dockerd did not come up. Its log, ${this.log}, ends:\n${tail}`, ' ');
    }
    this.#daemon = processes().find(({ parent }) => parent === enter.pid)?.pid ?? null;
    this.#enter = enter.pid;
  }

  /** The process id of dockerd, as this process sees it; `null` while it is down. */
  get pid() {
    return this.#daemon;
  }

  /** Sends dockerd a signal: SIGKILL, or SIGSTOP and SIGCONT to freeze and thaw it. */
  signal(name) {
    if (this.#daemon) process.kill(this.#daemon, name);
  }

  /** Ends dockerd, orderly or by SIGKILL, and leaves the rest of the namespace as it then is. */
  async stopDaemon(signal = 'SIGTERM') {
    if (!this.#daemon) return;
    const pid = this.#daemon;
    const ours = [pid, this.#enter];
    const isGone = () => !processes().some((process) => ours.includes(process.pid));
    try {
      process.kill(pid, 'SIGCONT');
      process.kill(pid, signal);
    } catch {
      // gone already
    }
    // nsenter stops itself when its child is stopped (util-linux, `continue_as_child`), and would then
    // neither reap it nor end.
    const goOn = () => {
      try {
        process.kill(this.#enter, 'SIGCONT');
      } catch {
        // ended already
      }
      return isGone();
    };
    if (!(await waitFor(goOn, 15_000))) {
      process.kill(pid, 'SIGKILL');
      await waitFor(goOn, 5000);
    }
    this.#daemon = null;
  }

  /** Removes all containers there are. */
  async removeContainers() {
    const docker = connect(this);
    const containers = await docker.listContainers({ all: true });
    await Promise.all(
      containers.map(({ Id }) =>
        docker
          .getContainer(Id)
          .remove({ force: true })
          .catch((error) => {
            if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
          }),
      ),
    );
  }

  /** What runs in the engine's namespace beside the engine itself: containers and their shims. */
  strangers() {
    return processes().filter(
      ({ pid, parent, namespace, command }) =>
        namespace === this.namespace &&
        pid !== this.holderPid &&
        pid !== this.#daemon &&
        !(parent === this.holderPid && command === 'cat') &&
        !/^(?:\S*\/)?containerd --config/.test(command),
    );
  }

  /** Stops the engine; afterwards no process, mount, socket or control group of it is left. */
  async stop() {
    await this.stopDaemon();
    const { pid } = this.#holder;
    const isGone = () => !processes().some(({ pid: other }) => other === pid);
    this.#holder.stdin.destroy();
    if (!(await waitFor(isGone, 5000))) {
      process.kill(pid, 'SIGKILL');
      await waitFor(isGone, 5000);
    }
    for (const folder of cgroupFolders(this.cgroup)) removeCgroups(folder);
    fs.rmSync(this.runtime, { recursive: true, force: true });
    try {
      fs.rmdirSync(paths.runtime);
      for (const folder of this.#madeFolders) fs.rmdirSync(folder);
    } catch {
      // Another engine's folder is in it: that engine needs them.
    }
  }
}

module.exports = { OwnEngine };
