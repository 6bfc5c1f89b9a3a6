'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** A process's own of process ids; `null`: it is closed to this user. */
function namespaceOf(pid) {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/pid`);
  } catch (error) {
    if (error.code === 'EACCES') return null;
    throw error;
  }
}

/** Every process of the machine: `{ pid, parent, started, command, namespace }`; `started` in the kernel's ticks. */
function processes() {
  const list = [];
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // "pid (comm) state ppid …", where comm may hold anything, parentheses included.
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [state, parent] = fields;
      if (state === 'Z') continue;
      list.push({
        pid: Number(name),
        parent: Number(parent),
        started: Number(fields[19]),
        command: fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
        namespace: namespaceOf(name),
      });
    } catch {
      // ended while we looked
    }
  }
  return list;
}

/** The folders of a control group, one for each hierarchy that is mounted. */
function cgroupFolders(name) {
  const mounts = fs.readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, target]) => path.join(target, name))
    .filter((folder) => fs.existsSync(folder));
}

/** Removes the (empty) control groups below and including `folder`. */
function removeCgroups(folder) {
  try {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroups(path.join(folder, entry.name));
    }
    fs.rmdirSync(folder);
  } catch {
    // never made, or still in use: `leftovers` tells
  }
}

module.exports = { cgroupFolders, processes, removeCgroups };
