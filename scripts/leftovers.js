'use strict';

const fs = require('node:fs');
const os = require('node:os');
const { setTimeout: delay } = require('node:timers/promises');

const { connect } = require('../harness/engine');
const { cgroupFolders, processes } = require('../harness/processes');

/** What an engine of our own holds although nothing should use it any more, a line each. */
async function inEngine(engine) {
  const containers = await connect(engine).listContainers({ all: true });
  return [
    ...containers.map(
      ({ Id, Image, State }) => `container ${Id.slice(0, 12)} of ${Image}, ${State}`,
    ),
    ...engine.strangers().map(({ pid, command }) => `process ${pid} beside the engine: ${command}`),
  ];
}

/** Asks again for up to five seconds while something is left, and resolves with what then is. */
async function settle(look) {
  for (let attempt = 1; ; attempt += 1) {
    const found = await look();
    if (found.length === 0 || attempt === 25) return found;
    await delay(200);
  }
}

/** Whether the process was started with `name=value` in its environment. */
function hasVariable(pid, name, value) {
  try {
    const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return environment.includes(`${name}=${value}`);
  } catch {
    return false;
  }
}

/** The processes, but this one, that were started with the mark in their environment. */
function withMark(mark) {
  return processes().filter(({ pid }) => pid !== process.pid && hasVariable(pid, ...mark));
}

/** Ends the processes with the mark. */
function end(mark) {
  if (process.platform !== 'linux') return;
  for (const { pid } of withMark(mark)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ended by itself
    }
  }
}

/** The mounts, processes, control groups and sockets of an engine that has been stopped, a line each. */
function ofEngine(engine) {
  const mounts = fs
    .readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => [engine.storage, engine.runtime].some((own) => target.startsWith(own)))
    .map((target) => `mount ${target}`);
  const running = processes()
    .filter(({ namespace }) => namespace === engine.namespace)
    .map(({ pid, command }) => `process ${pid} of the engine: ${command}`);
  const cgroups = cgroupFolders(engine.cgroup).map((path) => `control group ${path}`);
  const sockets = fs.existsSync(engine.runtime) ? [`folder ${engine.runtime}`] : [];
  return [...mounts, ...running, ...cgroups, ...sockets];
}

/**
 * Stops what a run has started, and rejects with all that is left of it: what is in its engines, processes that carry
 * its mark in their environment (which it ends), files in its temporary folder, and what its engines leave on this
 * machine. Knows nothing to look for outside of Linux but the files.
 *
 * @param {object} run `mark`: a variable's name and value; `engines`: those of its own; `link`: the name of its network
 *   interface; `look`: what is in the engines, a line each, asked before `stop`
 */
async function refuse({ mark, folder, engines, link, look, stop }) {
  // A removal under way when the last test ended is none.
  const found = await settle(look);
  await stop();
  found.push(...fs.readdirSync(folder).map((name) => `file ${folder}/${name}`));
  if (os.networkInterfaces()[link]) found.push(`network interface ${link}`);
  if (process.platform === 'linux') {
    found.push(...withMark(mark).map(({ pid, command }) => `process ${pid}: ${command}`));
    found.push(...engines.flatMap(ofEngine));
  }
  end(mark);
  if (found.length > 0) {
    throw Object.assign(new Error(`left behind:\n  ${found.join('\n  ')}`), { hint: '' });
  }
}

module.exports = { inEngine, refuse };
