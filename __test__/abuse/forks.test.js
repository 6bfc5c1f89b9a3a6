'use strict';

// What a hostile script comes to from one fork of a template in another, and that a fork has every fence that a
// container has whose interpreter was booted. Without what lies between them, in one container, all is found.

const fs = require('node:fs');
const path = require('node:path');

const { ContainerPoolManager } = require('../..');
const { ensureArchives, localImage } = require('../../harness/archives');
const { until } = require('../../harness/until');
const { IMAGE, address } = require('../support/engine');
const { canaryOf } = require('./canary');
const { OF_IMAGE } = require('./local');
const { runProbes } = require('./probes');
const { Surroundings } = require('./surroundings');

const read = (name) => fs.readFileSync(path.join(__dirname, 'scenarios', `${name}.py`), 'utf8');
const MiB = 1 << 20;
/** Of what one holds and the other looks for. */
const NAME = canaryOf('fork');

/** No filter: what lies between two containers is to hold without it. */
const OPEN = { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } };
/** They look at the control groups they are in, which the local engine shows to nobody. */
const BY_CONTROL_GROUPS = ['limits/processor', 'limits/swap'];

/** What there is to be found. */
const ALL = [
  ...['a process', 'memory, as a file', 'memory, by a call', 'memory, by tracing'],
  ...['a file', 'a file in shared memory', 'an abstract socket', 'a port'],
  ...['a segment', 'a queue', 'a semaphore', 'a named queue'],
];

let pool;

async function open(options) {
  pool = new ContainerPoolManager({
    ...{ engine: 'local', image: localImage(IMAGE), poolSize: 0, template: true },
    ...options,
  });
  await pool.run('pass');
  await until(() => pool.stats().template.state === 'ready');
  // That which was begun before.
  await pool.run('pass');
}

afterEach(() => pool?.shutdown({ grace: 0 }));

/** Two containers whose interpreters have one template. */
async function two() {
  const containers = [await pool.acquire(), await pool.acquire()];
  expect(pool.stats().template.forks).toBeGreaterThanOrEqual(2);
  return containers;
}

/** A script that does not end by itself, which has said something: that, and its end. */
async function begun(container, script, env = {}) {
  let ended;
  const words = await new Promise((resolve) => {
    ended = container.execute(script, env, [], { onStdout: resolve }).catch((error) => error);
  });
  return { said: words.toString(), ended };
}

beforeAll(async () => {
  if (address() !== 'local') await ensureArchives({ env: { DOCKER_HOST: address() } }, [IMAGE]);
}, 300_000);

test('nothing of one fork can be found in another', async () => {
  await open(OPEN);
  const [one, other] = await two();
  const held = JSON.parse((await begun(one, read('hold_all'), { NAME })).said);
  const look = async (container) => {
    const env = { NAME, WHERE: held.address };
    const { stdout, stderr } = await container.execute(read('look_for_all'), env);
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  };
  expect(await look(other)).toEqual([]);
  const all = held.keys ? [...ALL, 'a key'] : ALL;
  expect(await look(one)).toEqual(all.sort());
});

test('a signal to all reaches nothing of another fork', async () => {
  await open(OPEN);
  const [one, other] = await two();
  const waits = 'print(1, flush=True)\nimport time\ntime.sleep(600)';
  const kill = 'import os\ntry: os.kill(-1, 9)\nexcept ProcessLookupError: print("nobody")';
  await begun(one, waits);
  expect(await other.execute(kill)).toMatchObject({ stdout: 'nobody' });
  expect(one.status).toBe('BUSY');
  const alive = 'import os\nprint(len([n for n in os.listdir("/proc") if n.isdigit()]) - 2)';
  expect(await one.execute(alive)).toMatchObject({ stdout: '1' });
  await one.execute(kill);
  expect(await one.execute(alive)).toMatchObject({ stdout: '0' });
});

test('each fork has limits of its own', async () => {
  await open({ memory: 64 * MiB, pidsLimit: 16 });
  const [one, other] = await two();
  const take = (mib) => `kept = b"x" * ${mib * MiB}\nprint(len(kept) >> 20, flush=True)\n`;
  const forks = `
import os, time
made = 0
try:
    while True:
        if not os.fork(): time.sleep(600)
        made += 1
except OSError:
    print(made, flush=True)
time.sleep(600)`;
  const { ended } = await begun(one, `${take(20)}import time\ntime.sleep(600)`);
  // Both together are more than one may have.
  expect(await other.execute(take(50))).toMatchObject({ stdout: '50' });
  await one.execute(take(50));
  expect(await ended).toMatchObject({ reason: 'oom' });
  const [third, fourth] = await two();
  const made = Number((await begun(third, forks)).said);
  expect(made).toBeGreaterThan(5);
  expect(made).toBeLessThan(16);
  expect(Number((await begun(fourth, forks)).said)).toBe(made);
});

test('a fork has the fences of a container whose interpreter was booted', async () => {
  const surroundings = await Surroundings.start();
  try {
    await open({});
    const before = pool.stats().template.forks;
    const fork = {
      run: async (script, env) => {
        const { stdout, stderr } = await pool.run(script, { env });
        return stdout || stderr;
      },
    };
    const answers = await runProbes(fork, surroundings.env, OF_IMAGE);
    expect(pool.stats().template.forks).toBeGreaterThan(before);
    const wanted = ({ name }) => (BY_CONTROL_GROUPS.includes(name) ? 'absent' : 'held');
    const others = OF_IMAGE.filter((probe) => answers[probe.name].verdict !== wanted(probe));
    expect(others.map(({ name }) => [name, answers[name]])).toEqual([]);
  } finally {
    await surroundings.close();
  }
});
