'use strict';

const fs = require('node:fs');

const { processes } = require('../harness/processes');

/**
 * What a side takes of the machine, in KiB: the daemons of the Docker engine, or the launcher of this process,
 * and with either the containers that are ours. Pages that several share count in part (PSS), so that sums are
 * true. Linux, as root, on the engine's machine.
 */
const memoryOf = {
  async 'scientist-pool'({ docker, labels }) {
    const [label] = Object.entries(labels).map((pair) => pair.join('='));
    const ours = await docker.listContainers({ filters: { label: [label] } });
    const all = processes();
    const shims = all.filter(
      ({ command }) =>
        command.includes('containerd-shim') && ours.some(({ Id }) => command.includes(Id)),
    );
    const daemons = all.filter(({ command }) => /^(\S*\/)?(dockerd|containerd) /.test(command));
    return sum([...daemons, ...shims, ...below(shims, all)]);
  },
  async local() {
    return sum(below([{ pid: process.pid }], processes()));
  },
};

/** The children, their children, and so on. */
function below(parents, all) {
  if (parents.length === 0) return [];
  const pids = new Set(parents.map(({ pid }) => pid));
  const children = all.filter(({ parent }) => pids.has(parent));
  return [...children, ...below(children, all)];
}

function sum(list) {
  return list.reduce((total, { pid }) => {
    try {
      const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      return total + Number(/^Pss: +(\d+)/m.exec(rollup)[1]);
    } catch (error) {
      // It has ended meanwhile.
      if (error.code === 'ENOENT' || error.code === 'ESRCH') return total;
      throw error;
    }
  }, 0);
}

module.exports = { memoryOf };
