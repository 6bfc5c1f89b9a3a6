'use strict';

const { spawnSync } = require('node:child_process');

const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

/** The labels of a container of this process, and the same as one that has ended would have them. */
async function labels() {
  const container = await bench.pool({ poolSize: 0 }).acquire();
  const ours = bench.engine.containers.find(({ id }) => id === container.id).labels;
  const { pid } = spawnSync(process.execPath, ['--eval', '']);
  return { ours, gone: { ...ours, 'scientist-pool.pid': `${pid}` } };
}

const prune = (...args) => cli(['prune', ...args], { env: { DOCKER_HOST: bench.engine.address } });

test('removes what a process that is gone has left, shows it, and leaves the others alone', async () => {
  const { engine } = bench;
  const { gone } = await labels();
  const orphans = [engine.plant({ Labels: gone }), engine.plant({ Labels: gone })];
  const [alive] = engine.ids;
  const { stdout, stderr, code } = await prune();
  expect(stdout.trim().split('\n').sort()).toEqual(orphans.map(({ id }) => id).sort());
  expect(stderr).toContain('removed 2 containers');
  expect(code).toBe(0);
  expect(engine.ids).toEqual([alive]);
});

test('--json prints the ids; an image is not asked for', async () => {
  bench.engine.images.clear();
  const { stdout, code } = await prune('--json');
  expect(JSON.parse(stdout)).toEqual({ engine: bench.engine.address, removed: [] });
  expect(code).toBe(0);
  expect(bench.engine.count('pull')).toBe(0);
});

test('an engine that is not there is 125', async () => {
  await bench.engine.vanish();
  const { stderr, code } = await prune();
  expect(code).toBe(125);
  expect(stderr).toContain(bench.engine.address);
  await bench.engine.listen();
});
