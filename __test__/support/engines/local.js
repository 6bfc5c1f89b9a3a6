'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { archiveOf, localImage } = require('../../../harness/archives');
const { cache } = require('../../../harness/paths');
const { processes } = require('../../../harness/processes');
const { until } = require('../../../harness/until');

/** Where the kernel counts processes: a hierarchy of version 1, or the one of version 2. */
const HIERARCHY = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((folder) =>
  fs.existsSync(path.join(folder, 'cgroup.procs')),
);

/** What the names of launchers' control groups begin with. */
const PREFIX = 'scientist-pool-launcher-';

/** The names of the groups in one. */
function foldersIn(group) {
  try {
    const entries = fs.readdirSync(group, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    // It has gone meanwhile.
    return [];
  }
}

/** All control groups of launchers. */
function* launchersBelow(folder) {
  for (const name of foldersIn(folder)) {
    const group = path.join(folder, name);
    if (name.startsWith(PREFIX)) yield group;
    else yield* launchersBelow(group);
  }
}

/** The control group of a container, by its id; `undefined` if it is gone. CONTRIBUTING.md has the form of both. */
function groupOf(id) {
  const [, keeper, number] = /^([0-9a-f]{8})[0-9a-f]+-(\d+)$/.exec(id);
  const launcher = `${PREFIX}${parseInt(keeper, 16)}-`;
  for (const group of launchersBelow(HIERARCHY)) {
    const own = path.join(group, number);
    if (path.basename(group).startsWith(launcher) && fs.existsSync(own)) return own;
  }
}

/** Takes images out of the store, by their names, and the layers that no other one has. */
function forget(isMeant) {
  const store = path.join(cache, 'images');
  const notes = fs.readdirSync(path.join(store, 'images')).map((note) => {
    const file = path.join(store, 'images', note);
    return { file, ...JSON.parse(fs.readFileSync(file, 'utf8')) };
  });
  const kept = new Set(notes.filter(({ name }) => !isMeant(name)).flatMap(({ chain }) => chain));
  for (const { file, chain } of notes.filter(({ name }) => isMeant(name))) {
    fs.rmSync(file);
    for (const layer of chain.filter((digest) => !kept.has(digest))) {
      const tree = path.join(store, 'trees', layer.replace('sha256:', ''));
      fs.rmSync(tree, { recursive: true, force: true });
    }
  }
}

/** A process's launchers with all that is in them, and what else they have started. */
function below(pid) {
  const all = processes();
  const found = all.filter(({ parent, command }) => parent === pid && isLauncher(command));
  for (const { pid: parent } of found) found.push(...all.filter((each) => each.parent === parent));
  return found;
}

const isLauncher = (command) => command.includes('scientist-pool-launcher');

/** Whether a process is the first one of its container. */
const isFirst = (pid) => /^NSpid:.*\t1$/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));

/**
 * This machine's own kernel, as the tests see it from outside: see `../engine.js`. Containers are known by
 * their control groups, which takes root: to anybody else there are none.
 */
class LocalOutside {
  env = {
    ...{ CONTAINER_ENGINE: 'local', DOCKER_HOST: '' },
    CONTAINER_POOL_IMAGE: this.image('python:3.9-slim'),
  };
  /** None is known by the name that another engine's test gives it. */
  keepsImages = false;
  showsLimits = false;
  hasTerminals = false;
  followsLinks = false;
  hasFilter = false;
  // The next one, and the template.
  beginsAhead = 2;
  interpreters = 1;
  needsPython = false;
  keepsSizes = true;
  onTheWay = 16;
  hasInit = true;
  seesContainers = process.getuid() === 0;
  limitsMemory = process.getuid() === 0;
  deaths = [
    ['the process'],
    ['its launcher'],
    ['its keeper'],
    ['the process', 'its launcher'],
    ['the process', 'its launcher', 'its keeper'],
  ];

  /** @param {string | undefined} runtime the OCI runtime that containers run under */
  constructor(runtime) {
    // Of a command that it runs beside process 1, a runtime tells what a shell would tell of it.
    this.tellsSignals = !runtime;
  }

  async forgetDerived(packages) {
    forget((name) => name.split(' + ')[1]?.includes(packages));
  }

  async removeImage(image) {
    forget((name) => name === image);
  }

  image(name) {
    return fs.existsSync(archiveOf(name)) ? localImage(name) : name;
  }

  async takeImage(archive) {
    return { image: `docker-archive:${archive}`, forget: async () => {} };
  }

  async idsOf(pool) {
    // The events of containers that are ready already may be on their way.
    await until(() => pool.seen.size >= pool.stats().totals.created);
    return [...pool.seen].filter((id) => groupOf(id) !== undefined);
  }

  async traceOf(pid) {
    const all = below(pid);
    const keepers = all.filter(({ parent }) => parent === pid).map((keeper) => keeper.pid);
    const launcher = all.find(({ parent }) => keepers.includes(parent));
    // What comes after this is in one of the groups.
    const known = new Map(all.map((each) => [each.pid, each.started]));
    const running = async () =>
      processes()
        .filter((each) => known.get(each.pid) === each.started)
        .map((each) => `${each.pid} ${each.command}`);
    const groups = () =>
      [...launchersBelow('/sys/fs/cgroup')].filter((group) =>
        keepers.some((keeper) => path.basename(group).startsWith(`${PREFIX}${keeper}-`)),
      );
    const inside = groups()
      .filter((group) => group.startsWith(HIERARCHY))
      .flatMap(foldersIn);
    const containers = inside.filter((name) => /^\d+$/.test(name));
    return {
      containers,
      parts: { 'the process': pid, 'its launcher': launcher?.pid, 'its keeper': keepers[0] },
      running,
      left: async () => [...(await running()), ...groups()],
    };
  }

  async kill(id) {
    const pids = fs
      .readFileSync(path.join(groupOf(id), 'cgroup.procs'), 'utf8')
      .trim()
      .split('\n');
    process.kill(Number(pids.find(isFirst)), 'SIGKILL');
  }

  async memory() {
    return os.totalmem();
  }
}

module.exports = { LocalOutside, groupOf };
