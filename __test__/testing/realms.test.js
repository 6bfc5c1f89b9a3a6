'use strict';

const { FakeEngine } = require('scientist-pool/testing');

const { runNode } = require('../support/node');

describe('install', () => {
  const variables = ['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];

  test('has a pool that is told nothing find the engine, also after resetModules', async () => {
    const engine = (await FakeEngine.start()).install();
    engine.reply('', { stdout: 'found' });
    for (let round = 0; round < 2; round += 1) {
      jest.resetModules();
      const { run, shutdown } = require('scientist-pool');
      expect(await run('1')).toMatchObject({ stdout: 'found' });
      await shutdown();
    }
    await engine.assertEmpty();
    await engine.close();
  });

  test('is taken back by close, every variable as it was', async () => {
    const env = { DOCKER_HOST: 'tcp://host:1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' };
    const before = { ...env };
    const engine = (await FakeEngine.start()).install(env);
    expect(variables.map((name) => env[name])).toEqual([
      engine.address,
      undefined,
      undefined,
      undefined,
    ]);
    await engine.close();
    expect(env).toEqual(before);
  });
});

test("works under jest's fake timers", async () => {
  const ContainerPoolManager = require('scientist-pool');
  jest.useFakeTimers();
  try {
    const engine = await FakeEngine.start();
    engine.reply('', { stdout: 'real', delay: 20 });
    const pool = new ContainerPoolManager({ engine: engine.address, poolSize: 1 });
    expect(await pool.run('1')).toMatchObject({ stdout: 'real' });
    await engine.assertNoLeases(pool);
    await pool.shutdown();
    await engine.assertEmpty();
    await engine.close();
  } finally {
    jest.useRealTimers();
  }
});

test('an idle engine does not keep Node alive', async () => {
  const source = `
    const { FakeEngine } = require('scientist-pool/testing');
    const Pool = require('scientist-pool');
    (async () => {
      const engine = await FakeEngine.start();
      process.on('exit', () => require('node:fs').rmSync(engine.socketPath.replace(/.engine.sock$/, ''), { recursive: true }));
      engine.reply('', { stdout: 'done' });
      const pool = new Pool({ engine: engine.address });
      console.log((await pool.run('1')).stdout);
    })();`;
  expect(await runNode(source)).toMatchObject({ stdout: 'done\n', stderr: '', code: 0 });
});

test('names can be imported', async () => {
  const source = `
    import { FakeEngine } from 'scientist-pool/testing';
    console.log(typeof FakeEngine.start);`;
  expect(await runNode(source, { module: true })).toMatchObject({ stdout: 'function\n', code: 0 });
});
