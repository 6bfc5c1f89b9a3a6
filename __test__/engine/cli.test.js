'use strict';

const { IMAGE, NO_PYTHON, address } = require('../support/engine');
const { cli } = require('../support/cli');

const env = { DOCKER_HOST: address(), CONTAINER_POOL_IMAGE: IMAGE };

test('doctor finds the limits and the hardening of a real container in force', async () => {
  const { stdout, code } = await cli(['doctor', '--json'], { env });
  const { ok, findings } = JSON.parse(stdout);
  expect(findings.filter(({ state }) => state === 'failure')).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['seccomp', 'memory', 'processes', 'cpu', 'removal']),
  );
  expect({ ok, code }).toEqual({ ok: true, code: 0 });
});

test('doctor says that an image has no Python', async () => {
  const { stdout, code } = await cli(['doctor', '--json', '--image', NO_PYTHON], { env });
  const { findings } = JSON.parse(stdout);
  expect(findings.filter(({ state }) => state === 'failure')).toMatchObject([{ name: 'call' }]);
  expect(code).toBe(1);
});

test('run passes arguments, environment, output and exit code', async () => {
  const source = 'import os, sys; print(sys.argv[1], os.environ["A"]); sys.exit(7)';
  const { stdout, code } = await cli(['run', '-', '--env', 'A=1', '--', 'x'], {
    env,
    input: source,
  });
  expect({ stdout, code }).toEqual({ stdout: 'x 1\n', code: 7 });
});
