'use strict';

const { cli } = require('../support/cli');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

const pool = (options) => bench.pool({ poolSize: 0, packages: ['numpy==2.*'], ...options });

test('are installed once, as pip is given them, and their steps are told', async () => {
  const { engine } = bench;
  engine.reply('import numpy', { stdout: 'there' });
  const steps = [];
  const first = pool({ packages: ['Pandas', 'numpy == 2.*'] });
  first.on('pull', ({ status }) => steps.push(status));
  expect((await first.run('import numpy')).stdout).toBe('there');
  expect(steps).toEqual(['Collecting numpy==2.*', 'Collecting pandas', 'Extracting']);
  await pool({ packages: ['numpy==2.*', 'pandas'] }).run('import numpy');
  expect(engine.installs).toEqual([['numpy==2.*', 'pandas']]);
  expect(engine.calls.map(({ script }) => script)).toEqual(['import numpy', 'import numpy']);
});

test('are another image’s with another image', async () => {
  const { engine } = bench;
  engine.images.add('python:3.13-slim');
  await pool().run('pass');
  await pool({ image: 'python:3.13-slim' }).run('pass');
  expect(engine.installs).toHaveLength(2);
});

test.each([
  ['packages', 'INVALID_ARGUMENT', "packages can't be installed: no such thing"],
  ['index', 'IMAGE_PULL_FAILED', "packages can't be installed from indexUrl, "],
])(
  'that fail by the %s are refused as on an engine, and the next try works',
  async (blame, code, message) => {
    const { engine } = bench;
    engine.installation = () => ({ failed: 'no such thing', blame });
    const refused = pool();
    await expect(refused.run('pass')).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    engine.reset();
    expect(await refused.run('pass')).toMatchObject({ exitCode: 0 });
    expect(engine.installs).toEqual([['numpy==2.*']]);
  },
);

test('that never are installed end by pullTimeout', async () => {
  bench.engine.installation = () => new Promise(() => {});
  await expect(pool({ pullTimeout: 300 }).run('pass')).rejects.toMatchObject({
    code: 'IMAGE_PULL_FAILED',
    message: 'installing packages took longer than 300 ms; raise pullTimeout',
  });
});

test('that an engine does not take in are its error', async () => {
  bench.engine.fail('commit', { message: 'no space left on device', times: 1 });
  const full = pool();
  await expect(full.run('pass')).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    message: expect.stringContaining('no space left on device'),
  });
  expect(await full.run('pass')).toMatchObject({ exitCode: 0 });
});

test('with an outcome that there is not are the test’s own fault, and it is told', async () => {
  bench.engine.installation = () => ({ fails: 'x' });
  await expect(pool().run('pass')).rejects.toMatchObject({
    message: expect.stringContaining('the fake engine failed'),
  });
});

test('are in an image that the command line shows, and removes once nobody uses it', async () => {
  const { engine } = bench;
  const command = async (...args) =>
    JSON.parse((await cli([...args, '--json'], { env: { DOCKER_HOST: engine.address } })).stdout);
  const made = pool();
  await made.run('pass');
  const name = 'python:3.9-slim + numpy==2.*';
  expect((await command('images')).images).toMatchObject([{ name, inUse: true }]);
  expect((await command('prune', '--images', '--yes')).removed).toEqual([]);
  await made.shutdown();
  expect((await command('images')).images).toMatchObject([{ name, inUse: false }]);
  expect((await command('prune', '--images', '--yes')).removed).toMatchObject([{ name }]);
  expect([...engine.images]).toEqual(['python:3.9-slim']);
});
