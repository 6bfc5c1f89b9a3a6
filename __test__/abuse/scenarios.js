'use strict';

// What takes more than one look from inside: what is left after a script, a container or a deadline.

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const { ContainerPoolManager } = require('../..');
const { DockerodePool } = require('../../harness/dockerode-pool');
const { groupOf } = require('../support/engines/local');

const read = (name) => fs.readFileSync(path.join(__dirname, 'scenarios', `${name}.py`), 'utf8');

const LONGEST = 10_000;

/** Looks again until it finds nothing, for up to ten seconds; resolves with what it last found. */
async function untilNothing(look) {
  const deadline = performance.now() + LONGEST;
  for (;;) {
    const found = await look();
    if (found.length === 0 || performance.now() > deadline) return found;
    await pause(20);
  }
}

/** Looks again until it finds something; for up to ten seconds. */
async function untilSomething(look) {
  const deadline = performance.now() + LONGEST;
  for (;;) {
    const found = await look();
    if (found.length > 0 || performance.now() > deadline) return found;
    await pause(20);
  }
}

function readProcesses(file) {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        return [{ pid, text: fs.readFileSync(`/proc/${pid}/${file}`, 'utf8') }];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

/** The processes on this machine that were started with that argument. */
const startedWith = (word) =>
  readProcesses('cmdline')
    .filter(({ text }) => text.includes(word))
    .map(({ pid }) => `process ${pid}`);

/** All folders in a folder. One that goes away meanwhile is not there. */
function foldersBelow(folder) {
  let entries;
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => path.join(folder, name))
    .flatMap((below) => [below, ...foldersBelow(below)]);
}

/** What Docker and the kernel have of a container. */
async function tracesOnDocker(docker, id) {
  const listed = await docker.listContainers({ all: true, filters: { id: [id] } });
  const grouped = foldersBelow('/sys/fs/cgroup').some((folder) => folder.includes(id));
  const mounted = readProcesses('mountinfo').some(({ text }) => text.includes(id));
  return [
    ...(listed.length > 0 ? ['a container'] : []),
    ...startedWith(id).map(() => "a process of the engine's"),
    ...(grouped ? ['a control group'] : []),
    ...(mounted ? ['a mount'] : []),
  ];
}

/** What the kernel has of a container of the local engine's. */
async function tracesOnLocal(id) {
  const group = groupOf(id);
  if (group === undefined) return [];
  const processes = fs.readFileSync(path.join(group, 'cgroup.procs'), 'utf8');
  return ['a control group', ...(processes === '' ? [] : ['a process'])];
}

const verdict = (found) =>
  found.length === 0
    ? { verdict: 'held', said: 'nothing found' }
    : { verdict: 'broken', said: [...new Set(found)].join(', ') };

/** Reads and writes files of a container by commands, which go where a link leads. */
const byCommands = (container) => ({
  async readFile(path) {
    const { stdout, stderr, exitCode } = await container.executeCommand(['cat', path]);
    if (exitCode !== 0) throw new Error(stderr);
    return stdout;
  },
  async writeFiles(files) {
    for (const path of Object.keys(files)) {
      await container.executeCommand(['sh', '-c', 'echo written > "$0"', path]);
    }
  },
});

/**
 * Each: `name`, `category`, `tries`, and `run(side, kit)` with the side `'old'`, `'ours'` or `'weakened'`.
 * How it is weakened stands with it.
 */
const SCENARIOS = [
  {
    name: 'runs/traces',
    tries: 'Finds what the script before it left, in files, shared memory and processes.',
    // Weakened: the second script gets the first one's container.
    async run(side, { open }) {
      const pool = await open(side);
      try {
        const first = await pool.acquire();
        await first.execute(read('leave_traces'));
        if (side !== 'weakened') await first.destroy();
        const second = side === 'weakened' ? first : await pool.acquire();
        const { stdout } = await second.execute(read('find_traces'));
        await second.destroy();
        return verdict(stdout === '' ? [] : stdout.split(', '));
      } finally {
        await pool.shutdown();
      }
    },
  },
  {
    name: 'files/planted_links',
    tries: 'Plants links where the holder of its container reads and writes files.',
    // Weakened: the holder does so by commands.
    async run(side, { open }) {
      const pool = await open(side === 'weakened' ? 'old' : side);
      try {
        const container = await pool.acquire();
        await container.execute(read('plant_links'));
        const files = side === 'ours' ? container : byCommands(container);
        const found = [];
        for (const path of ['file', 'environment', 'folder/passwd']) {
          const led = await files.readFile(path).catch(() => '');
          if (led.length > 0) found.push(`read ${path}`);
        }
        for (const path of ['report', 'shared/made']) {
          await files.writeFiles({ [path]: 'written' }).catch(() => undefined);
        }
        const { stdout } = await container.executeCommand(['ls', '/dev/shm']);
        await container.destroy();
        return verdict([...found, ...stdout.split('\n').filter(Boolean)]);
      } finally {
        await pool.shutdown();
      }
    },
  },
  {
    name: 'runs/log',
    tries: "Writes into the engine's log, which is on the host and has no limit.",
    // The local engine keeps none.
    onDockerAlone: true,
    // Weakened: by the option `log`.
    async run(side, { open, docker }) {
      const pool = await open(side === 'weakened' ? 'ours' : side, { log: side === 'weakened' });
      try {
        const container = await pool.acquire();
        const line = `line-${randomUUID()}`;
        await container.execute(read('fill_log'), {}, [line]);
        const look = async () => {
          const log = await docker
            .getContainer(container.id)
            .logs({ stdout: true, stderr: true })
            .catch((error) => error.message);
          return log.toString().includes(line) ? ['a line in the log'] : [];
        };
        const { HostConfig } = await docker.getContainer(container.id).inspect();
        const kept = HostConfig.LogConfig.Type !== 'none';
        const found = kept ? await untilSomething(look) : await look();
        await container.destroy();
        return verdict(found);
      } finally {
        await pool.shutdown();
      }
    },
  },
  {
    name: 'runs/timeout',
    tries: 'Goes on after its time, deaf to signals, out of its session and its parent.',
    // Weakened: as the old service did it, the caller no longer waits, and that is all.
    async run(side, { open }) {
      const pool = await open(side === 'weakened' ? 'old' : side);
      const word = `outlive-${randomUUID()}`;
      try {
        const container = await pool.acquire();
        const options = side === 'weakened' ? {} : { timeout: 1000 };
        const call = container.execute(read('outlive'), {}, [word], options);
        call.catch(() => undefined);
        if ((await untilSomething(() => startedWith(word))).length === 0) {
          throw new Error('the script did not start');
        }
        if (side === 'ours') await call;
        else await Promise.race([call, pause(1000)]);
        const found =
          side === 'ours' ? await untilNothing(() => startedWith(word)) : startedWith(word);
        await container.destroy();
        return verdict(found);
      } finally {
        await pool.shutdown();
      }
    },
  },
  {
    name: 'runs/clean_up',
    tries:
      'Is there any more when its container has been destroyed: processes, mounts, control groups.',
    // Weakened: nobody destroys it.
    async run(side, { open, traces }) {
      const pool = await open(side === 'weakened' ? 'old' : side);
      try {
        const container = await pool.acquire();
        const { id } = container;
        const before = await traces(id);
        if (before.length === 0) throw new Error('a running container left no trace');
        if (side === 'weakened') {
          const found = await traces(id);
          await container.destroy();
          return verdict(found);
        }
        await container.destroy();
        return verdict(await untilNothing(() => traces(id)));
      } finally {
        await pool.shutdown();
      }
    },
  },
].map((scenario) => ({ ...scenario, category: scenario.name.split('/')[0] }));

/**
 * What the scenarios work with: `open(side, options)` gives a pool of that kind, `traces(id)` what there is of
 * a container.
 */
function kit({ docker, engine, image, labels = {} }) {
  const open = async (side, options) =>
    side === 'ours'
      ? new ContainerPoolManager({ engine, image, labels, poolSize: 0, ...options })
      : new DockerodePool({ docker, image, labels, poolSize: 0 });
  return { docker, open, traces: (id) => tracesOnDocker(docker, id) };
}

/** The same on the local engine, where a scenario is weakened by what its caller does alone. */
function localKit({ image }) {
  const open = async (_side, options) =>
    new ContainerPoolManager({ engine: 'local', image, poolSize: 0, ...options });
  return { open, traces: tracesOnLocal };
}

module.exports = { SCENARIOS, kit, localKit };
