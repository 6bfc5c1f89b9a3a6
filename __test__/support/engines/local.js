'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { rootOf } = require('../../../harness/roots');

const GROUP = /^scientist-pool-launcher-(\d+)-/;

/** The parent of a process, as /proc tells it; `null` if it is gone. */
function parentOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
  } catch {
    return null;
  }
}

/** Where the kernel counts processes: a hierarchy of version 1, or the one of version 2. */
const HIERARCHIES = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].filter((folder) =>
  fs.existsSync(path.join(folder, 'cgroup.procs')),
);

function* groupsBelow(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const group = path.join(folder, entry.name);
    yield group;
    if (!GROUP.test(entry.name)) yield* groupsBelow(group);
  }
}

/**
 * This machine's own kernel, as the tests see it from outside: see `../engine.js`. Containers are known by
 * their control groups, which are those of launchers that this process has started: that takes root.
 */
class LocalOutside {
  env = { CONTAINER_ENGINE: 'local', DOCKER_HOST: '' };

  image(name) {
    return name.includes('/') || name === 'host' ? name : `dir:${rootOf(name)}`;
  }

  /** The groups of all containers of this process, by the end of their ids. */
  #groups() {
    const groups = new Map();
    const [hierarchy] = HIERARCHIES;
    for (const launcher of groupsBelow(hierarchy)) {
      const [, keeper] = GROUP.exec(path.basename(launcher)) ?? [];
      if (keeper === undefined || parentOf(keeper) !== process.pid) continue;
      for (const id of fs.readdirSync(launcher)) {
        if (/^\d+$/.test(id)) groups.set(id, path.join(launcher, id));
      }
    }
    return groups;
  }

  async idsOf(pool) {
    const groups = this.#groups();
    return [...pool.seen].filter((id) => groups.has(id.split('-')[1]));
  }

  async kill(id) {
    const group = this.#groups().get(id.split('-')[1]);
    const processes = fs.readFileSync(path.join(group, 'cgroup.procs'), 'utf8');
    for (const pid of processes.trim().split('\n')) process.kill(Number(pid), 'SIGKILL');
  }

  async memory() {
    return os.totalmem();
  }

  async hasImage(name) {
    return fs.existsSync(rootOf(name));
  }
}

module.exports = { LocalOutside };
