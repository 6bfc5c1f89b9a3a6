'use strict';

const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');

const fake = useFakeEngine();

/** Runs it on an engine that greets, and where what is to run for ever does. */
function bench(...args) {
  fake.engine.reply('sleep(86400)', { reason: 'timeout' }).reply('hello', { stdout: 'hello\n' });
  return cli(['bench', ...args], { env: { DOCKER_HOST: fake.engine.address } });
}

test('measures every step as often as asked, the warm ones warm', async () => {
  const { stdout, stderr, code } = await bench('--n', '3', '--json');
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  const { engine, image, unit, steps } = JSON.parse(stdout);
  expect({ image, unit }).toEqual({ image: 'python:3.9-slim', unit: 'ms' });
  expect(engine).toEqual({ address: fake.engine.address, version: 'fake', cpus: 2 });
  expect(steps.map(({ name, path, n }) => [name, path, n])).toEqual([
    ['acquire, execute: warm pool', 'warm', 3],
    ['run: warm pool', 'warm', 3],
    ['exec in a running container', 'cold', 3],
    ['acquire, execute: on demand', 'warm', 3],
    ['run: on demand', 'warm', 3],
  ]);
  for (const { min, p50, p90, p99, ratio } of steps) {
    expect(0 < min && min <= p50 && p50 <= p90 && p90 <= p99 && ratio > 0).toBe(true);
  }
  expect(steps[0].ratio).toBe(1);
  expect(fake.engine.ids).toEqual([]);
});

test('prints a table with a bar for each step', async () => {
  const { stdout, code } = await bench('--n', '1');
  const [what, head, ...rows] = stdout.trimEnd().split('\n');
  expect(what).toContain(fake.engine.address);
  expect(head).toMatch(/^ms +n +min +p50 +p90 +p99 +ratio +path +p50$/);
  expect(rows).toHaveLength(5);
  for (const row of rows) expect(row).toMatch(/ (warm|cold) +█+$/);
  expect(code).toBe(0);
});

test.each([['0'], ['1.5'], ['many']])('--n %s is wrong', async (n) => {
  const { stderr, code } = await bench('--n', n);
  expect(stderr).toContain(`got ${n}`);
  expect(code).toBe(125);
});

test('an engine that makes no containers ends it', async () => {
  fake.engine.fail('create', { status: 400, message: 'no room' });
  const { stderr, code } = await bench('--n', '1');
  expect(stderr).toContain('no room');
  expect(code).toBe(125);
  expect(fake.engine.ids).toEqual([]);
});
