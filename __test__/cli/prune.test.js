'use strict';

const { spawnSync } = require('node:child_process');
const os = require('node:os');
const { PassThrough } = require('node:stream');

const { main } = require('../../cli/main');
const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');
const { runNode } = require('../support/node');

const bench = useFakeEngine();

/** The labels of a container of this process, and the same as one that has ended would have them. */
async function labels() {
  const container = await bench.pool({ poolSize: 0 }).acquire();
  const ours = bench.engine.containers.find(({ id }) => id === container.id).labels;
  const { pid } = spawnSync(process.execPath, ['--eval', '']);
  return {
    ours,
    gone: { ...ours, 'scientist-pool.session': 'gone', 'scientist-pool.pid': `${pid}` },
  };
}

const prune = (...args) => cli(['prune', ...args], { env: { DOCKER_HOST: bench.engine.address } });

/** Two containers of a process that is gone beside one of this process; their ids. */
async function orphans() {
  const { engine } = bench;
  const { gone } = await labels();
  return [1, 2].map(() => engine.plant({ Labels: gone, Image: 'python:3.9-slim' }).id).sort();
}

test('shows what a process that is gone has left, and without a terminal removes none of it', async () => {
  const ids = await orphans();
  const before = [...bench.engine.ids];
  const { stdout, stderr, code } = await prune();
  const [head, ...rows] = stdout.trim().split('\n');
  expect(head).toMatch(/^container +image +age +process +host$/);
  expect(rows.map((row) => row.slice(0, 12)).sort()).toEqual(ids.map((id) => id.slice(0, 12)));
  expect(rows[0]).toMatch(/python:3\.9-slim +\d+ (s|min) +\d+ +\S+$/);
  expect(stderr).toBe('removed nothing; prune --yes removes them\n');
  expect({ code, ids: bench.engine.ids }).toEqual({ code: 0, ids: before });
  expect((await prune('--yes')).code).toBe(0);
});

test('--yes removes it, and leaves the containers of others alone', async () => {
  const ids = await orphans();
  const { stderr, code } = await prune('--yes');
  expect(stderr).toContain('removed 2 containers');
  expect(code).toBe(0);
  expect(bench.engine.ids).toHaveLength(1);
  expect(ids).not.toContain(bench.engine.ids[0]);
});

test('--json tells whose they are, and what was removed', async () => {
  const ids = await orphans();
  const look = JSON.parse((await prune('--json', '--dry-run')).stdout);
  expect(look.orphans.map(({ id }) => id).sort()).toEqual(ids);
  expect(look.orphans[0]).toMatchObject({ image: 'python:3.9-slim', host: os.hostname() });
  expect(Math.abs(Date.parse(look.orphans[0].created) - Date.now())).toBeLessThan(60_000);
  expect(look.removed).toEqual([]);
  const done = JSON.parse((await prune('--json', '--yes')).stdout);
  expect(done.removed.sort()).toEqual(ids);
});

test('one that the engine keeps is told, and is exit code 1', async () => {
  const ids = await orphans();
  bench.engine.fail('remove', { status: 400, message: 'it stays' });
  const { stderr, code } = await prune('--yes');
  for (const id of ids) expect(stderr).toContain(id);
  expect(code).toBe(1);
  bench.engine.off('remove');
  expect((await prune('--yes')).code).toBe(0);
});

test('stays until the engine is told of, however late that is', async () => {
  const { gone } = await labels();
  bench.engine.plant({ Labels: gone, Image: 'python:3.9-slim' });
  // The event comes when nothing else keeps the process alive, as events do not.
  const { stdout } = await runNode(
    `const { ContainerPoolManager } = require('.');
    const { emit } = ContainerPoolManager.prototype;
    ContainerPoolManager.prototype.emit = function (name, ...told) {
      if (name !== 'engine') return emit.call(this, name, ...told);
      setTimeout(() => emit.call(this, name, ...told), 200).unref();
    };
    const { withEngine } = require('./cli/engine');
    withEngine({}, process, ({ swept }) => console.log(swept.length));`,
    { env: { DOCKER_HOST: bench.engine.address } },
  );
  expect(stdout).toBe('1\n');
});

test('asks for no image, and says where there is nothing to remove', async () => {
  bench.engine.images.clear();
  const { stdout, stderr, code } = await prune();
  expect(stderr).toBe(`no containers of processes that are gone on ${bench.engine.address}\n`);
  expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
  expect(bench.engine.count('pull')).toBe(0);
});

describe('on a terminal', () => {
  /** Runs it in this process with a terminal on which somebody types. */
  async function answer(typed) {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    for (const stream of [stdin, stdout]) stream.isTTY = true;
    stdout.on('data', (chunk) => {
      if (`${chunk}`.includes('[y/N]')) stdin.write(`${typed}\n`);
    });
    const io = { stdin, stdout, stderr, env: { NO_COLOR: '1' } };
    return main(['prune', '--engine', bench.engine.address], io);
  }

  test.each([['y'], ['Yes']])('%s removes what it has shown', async (typed) => {
    const ids = await orphans();
    expect(await answer(typed)).toBe(0);
    expect(bench.engine.ids.filter((id) => ids.includes(id))).toEqual([]);
  });

  test.each([[''], ['n']])('"%s" removes nothing', async (typed) => {
    const ids = await orphans();
    expect(await answer(typed)).toBe(0);
    expect(bench.engine.ids).toEqual(expect.arrayContaining(ids));
    expect((await prune('--yes')).code).toBe(0);
  });
});

test('an engine that is not there is 125', async () => {
  await bench.engine.vanish();
  const { stderr, code } = await prune();
  expect(code).toBe(125);
  expect(stderr).toContain(bench.engine.address);
  await bench.engine.listen();
});
