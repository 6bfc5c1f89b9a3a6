'use strict';

// The probes on the local engine: in containers as they are, and in others with fences down.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { run } = require('../../harness/command');
const { root } = require('../../harness/paths');
const { PROGRAMS, put } = require('../../harness/programs');
const { FENCES, LAUNCHERS, ON_HOST, OPTIONS, folderWithout } = require('./fences');
const { ALL, isLacking, runProbes } = require('./probes');
const { Surroundings } = require('./surroundings');

const [LAUNCHER, IMAGES] = PROGRAMS;
const NOBODY = 65_534;
/** That of the image `host`. */
const PYTHON = '/usr/bin/python3';
/** As many as there are processors on a small machine. */
const AT_ONCE = 2;

/** These say of the image `host` what it is meant to be, or look through all that the machine has in `/usr`. */
const NOT_OF_HOST = ['files/host_mounts', 'files/writable_places'];
const OF_HOST = ALL.filter(({ name }) => !NOT_OF_HOST.includes(name));
const OF_IMAGE = ALL.filter(({ category }) => category !== 'host');

/** Builds the launcher that fences can be taken away from, unless a run has it; gives its file. */
async function buildLauncher() {
  if (process.env.SCIENTIST_POOL_TEST_LAUNCHER) return process.env.SCIENTIST_POOL_TEST_LAUNCHER;
  const args = ['build', '--locked', '--package', LAUNCHER, '--features', 'fences-down'];
  await run('cargo', args, { cwd: root });
  return path.join(root, 'target', 'debug', LAUNCHER);
}

/** Copies what it takes to run probes to where every user gets through to it. */
function copyForEverybody(folder) {
  const binary = fs.readdirSync(root).find((name) => name.endsWith('.node'));
  const there = ['index.js', 'package.json', 'lib', 'harness', '__test__/abuse', binary];
  for (const name of [...there, ...PROGRAMS]) {
    fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  fs.chmodSync(folder, 0o755);
}

/** A container of the local engine's, and the Node.js process that has it made. */
class LocalContainer {
  #task;
  #folder;
  #user;

  /**
   * @param {string} image
   * @param {object} [how]
   * @param {string[]} [how.fences] those that are down: options, unless `programs` has a launcher for others
   * @param {string} [how.programs] the folder with the launcher in it
   * @param {string} [how.folder] where the package is
   * @param {number} [how.user] whom the process runs as
   * @param {string} [how.runtime] the OCI runtime that is to run it
   */
  constructor(image, { fences = [], folder = root, programs = folder, user, runtime } = {}) {
    this.#task = { image, runtime, fences, programs };
    this.#folder = folder;
    this.#user = user;
  }

  /** Runs a script in it; gives what that wrote. */
  async run(script, env) {
    const who = this.#user === undefined ? {} : { uid: this.#user, gid: this.#user };
    const program = path.join(this.#folder, '__test__/abuse/one-container.js');
    const session = path.join(this.#folder, '__test__/abuse/session.py');
    const command = [session, process.execPath, program];
    const child = spawn(PYTHON, command, { ...who, cwd: '/', env: { ...process.env } });
    // One that is gone says why.
    child.stdin.on('error', () => undefined);
    child.stdin.end(JSON.stringify({ ...this.#task, script, env }));
    const [said, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
    if (said === '') throw new Error(`${this.#task.fences.join('+')}: ${complaints}`);
    return said;
  }
}

/** Each, and what it comes to; a few at once. */
async function forEach(list, work) {
  const waiting = [...list];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** All probes, on one image of the store and on `host`. */
class LocalSuite {
  #image;
  #surroundings;
  #launcher;

  constructor(image, surroundings, launcher) {
    this.#image = image;
    this.#surroundings = surroundings;
    this.#launcher = launcher;
  }

  static async start(image) {
    const launcher = await buildLauncher();
    return new LocalSuite(image, await Surroundings.start(), launcher);
  }

  close() {
    return this.#surroundings.close();
  }

  /** In a container with all of its fences, on an image of the store. */
  ours = () => this.#probe(new LocalContainer(this.#image), OF_IMAGE);

  /** On this machine's own `/usr`. */
  host = () => this.#probe(new LocalContainer('host'), OF_HOST);

  /** The same where Node.js runs as an ordinary user. */
  ordinary = () => {
    const folder = path.join(this.#surroundings.folder, 'package');
    copyForEverybody(folder);
    return this.#probe(new LocalContainer('host', { folder, user: NOBODY }), OF_HOST);
  };

  /** With everything down that options take away, and the filter: as root, with all capabilities. */
  rooted = () => this.#probe(this.#without(this.#image, this.rootedFences), OF_IMAGE);
  rootedFences = [...Object.keys(OPTIONS), 'seccomp'];

  /** By the launcher that users have, in a folder that names all fences. */
  named = () => {
    const programs = this.#folder(LAUNCHERS.join('+'), path.join(root, LAUNCHER));
    return this.#probe(new LocalContainer(this.#image, { programs }), OF_IMAGE);
  };

  /** Each probe, with the fences down that stand before it. */
  async down() {
    const wanted = ALL.map((probe) => ({ probe, fences: FENCES[probe.name] }));
    const found = {};
    await this.#each(wanted, (name, _fences, answer) => Object.assign(found, { [name]: answer }));
    return found;
  }

  /** Each probe that can get through, with all but one of them down: by that one. */
  async almostDown() {
    const wanted = ALL.filter((probe) => !isLacking(probe)).flatMap((probe) => {
      const fences = FENCES[probe.name];
      const all = fences.length > 1 ? fences : [];
      return all.map((up) => ({ probe, up, fences: fences.filter((fence) => fence !== up) }));
    });
    const found = [];
    await this.#each(wanted, (name, fences, { verdict }) => found.push({ name, fences, verdict }));
    return found;
  }

  /** Shares a container among all that want the same one. */
  async #each(wanted, tell) {
    const containers = new Map();
    for (const { probe, fences } of wanted) {
      const image = ON_HOST.includes(probe.name) ? 'host' : this.#image;
      const key = [image, ...[...fences].sort()].join('+');
      const container = containers.get(key) ?? { image, fences, probes: [] };
      container.probes.push(probe);
      containers.set(key, container);
    }
    await forEach(containers.values(), async ({ image, fences, probes }) => {
      const answers = await this.#probe(this.#without(image, fences), probes);
      for (const [name, answer] of Object.entries(answers)) tell(name, fences, answer);
    });
  }

  #without(image, fences) {
    const programs = this.#folder(folderWithout(fences), this.#launcher);
    return new LocalContainer(image, { fences, programs });
  }

  /** A folder of that name, with a launcher in it. */
  #folder(name, launcher) {
    const folder = path.join(
      this.#surroundings.folder,
      path.basename(path.dirname(launcher)),
      name,
    );
    if (!fs.existsSync(folder)) {
      fs.mkdirSync(folder, { recursive: true });
      put(launcher, folder, LAUNCHER);
      fs.symlinkSync(path.join(root, IMAGES), path.join(folder, IMAGES));
    }
    return folder;
  }

  #probe(container, probes) {
    return runProbes(container, this.#surroundings.env, probes);
  }
}

module.exports = { LocalContainer, LocalSuite, OF_IMAGE };
