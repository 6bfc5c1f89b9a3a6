'use strict';

const { runNode } = require('../support/node');

const NAMES = [
  'Container',
  'ContainerPoolManager',
  'PoolError',
  'acquire',
  'destroy',
  'execute',
  'initialize',
  'run',
  'shutdown',
  'spawn',
];

async function printedBy(source, options) {
  const { stdout, stderr, code } = await runNode(source, options);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

test('require gives the class itself', async () => {
  const source = `
    const ContainerPoolManager = require('scientist-pool');
    console.log(JSON.stringify([typeof ContainerPoolManager.getInstance, ContainerPoolManager.name]));`;
  expect(await printedBy(source)).toEqual(['function', 'ContainerPoolManager']);
});

test('require gives the plain functions', async () => {
  const source = `
    const { initialize, acquire, execute, spawn, destroy, shutdown, run } = require('scientist-pool');
    console.log(JSON.stringify([initialize, acquire, execute, spawn, destroy, shutdown, run].map((f) => typeof f)));`;
  expect(await printedBy(source)).toEqual(Array(7).fill('function'));
});

test('require gives the classes by their names', async () => {
  const source = `
    const { ContainerPoolManager: Pool, Container, PoolError } = require('scientist-pool');
    console.log(JSON.stringify([Pool === require('scientist-pool'), Container.name, PoolError.name]));`;
  expect(await printedBy(source)).toEqual([true, 'Container', 'PoolError']);
});

test('import gives the class as the default, and every name', async () => {
  const source = `
    import Pool, { acquire, PoolError } from 'scientist-pool';
    import * as all from 'scientist-pool';
    import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url)('scientist-pool');
    const names = Object.keys(all).filter((name) => required[name] === all[name]);
    console.log(JSON.stringify([Pool === required, acquire === Pool.acquire, PoolError.name, names]));`;
  const [isClass, isFunction, error, names] = await printedBy(source, { module: true });
  expect([isClass, isFunction, error]).toEqual([true, true, 'PoolError']);
  expect(names).toEqual(expect.arrayContaining(NAMES));
});

test('these are all the names there are', () => {
  const own = Object.keys(require('../..')).filter((name) => name !== 'instance');
  expect(own.sort()).toEqual(NAMES);
});

test('loading starts nothing: no native part, no handles, no signal listeners', async () => {
  const source = `
    require('scientist-pool');
    const native = Object.keys(require.cache).filter((file) => /\\.node$/.test(file));
    console.log(JSON.stringify([
      native,
      process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap'),
      process.listenerCount('SIGINT') + process.listenerCount('SIGTERM') + process.listenerCount('exit'),
    ]));`;
  expect(await printedBy(source)).toEqual([[], [], 0]);
});

test('a pool adds no signal listeners unless asked to', async () => {
  const source = `
    const Pool = require('scientist-pool');
    const count = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
    const plain = new Pool();
    const before = count();
    const pool = new Pool({ handleSignals: true });
    const other = new Pool({ handleSignals: true });
    const during = count();
    pool.shutdown().then(() => other.shutdown()).then(() => {
      console.log(JSON.stringify([before, during, count()]));
    });`;
  expect(await printedBy(source, { double: true })).toEqual([0, 2, 0]);
});
