'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { archiveOf, localImage } = require('../../../harness/archives');

/** Where the kernel counts processes: a hierarchy of version 1, or the one of version 2. */
const HIERARCHY = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((folder) =>
  fs.existsSync(path.join(folder, 'cgroup.procs')),
);

/** All control groups of launchers. */
function* launchersBelow(folder) {
  let entries;
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    // It has gone meanwhile.
    return;
  }
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const group = path.join(folder, entry.name);
    if (entry.name.startsWith('scientist-pool-launcher-')) yield group;
    else yield* launchersBelow(group);
  }
}

/** The control group of a container, by its id; `undefined` if it is gone. CONTRIBUTING.md has the form of both. */
function groupOf(id) {
  const [, keeper, number] = /^([0-9a-f]{8})[0-9a-f]+-(\d+)$/.exec(id);
  const launcher = `scientist-pool-launcher-${parseInt(keeper, 16)}-`;
  for (const group of launchersBelow(HIERARCHY)) {
    const own = path.join(group, number);
    if (path.basename(group).startsWith(launcher) && fs.existsSync(own)) return own;
  }
}

/** Whether a process is the first one of its container. */
const isFirst = (pid) => /^NSpid:.*\t1$/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));

/**
 * This machine's own kernel, as the tests see it from outside: see `../engine.js`. Containers are known by
 * their control groups, which takes root.
 */
class LocalOutside {
  env = { CONTAINER_ENGINE: 'local', DOCKER_HOST: '' };
  /** Images are files of this machine: none is tagged or removed. */
  keepsImages = false;
  showsLimits = false;
  hasTerminals = false;
  hasFilter = false;
  hasInit = true;

  image(name) {
    return fs.existsSync(archiveOf(name)) ? localImage(name) : name;
  }

  async idsOf(pool) {
    // The event of a container that is ready already may be on its way.
    const known = new Set([...pool.seen, ...pool.pool.map(({ id }) => id)]);
    return [...known].filter((id) => groupOf(id) !== undefined);
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
