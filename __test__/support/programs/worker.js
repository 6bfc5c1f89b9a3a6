'use strict';

// A worker thread with a pool, which tells its parent what a call gave, and then leaves off where
// `workerData.stop` says: with a script running (`'executing'`), with a command half read whose stdin is
// being written (`'spawned'`), or in a warm-up (`'warming'`).

const { parentPort, workerData } = require('node:worker_threads');

const { ContainerPoolManager } = require('../../..');
const { IMAGE, address, outside } = require('../engine');

const pool = new ContainerPoolManager({
  engine: address(),
  image: outside().image(IMAGE),
  poolSize: 1,
  labels: { 'test.pool': workerData.label },
});

const STOPS = {
  executing: async () => {
    const container = await pool.acquire();
    container.execute('import time\nprint(1, flush=True)\ntime.sleep(600)', {}, [], {
      onStdout: () => parentPort.postMessage('stopped'),
    });
  },
  spawned: async () => {
    const child = (await pool.acquire()).spawn(['cat']);
    child.stdin.write(Buffer.alloc(8 * 1024 * 1024));
    child.stdout.once('data', () => {
      child.stdout.pause();
      parentPort.postMessage('stopped');
    });
  },
  warming: () => {
    pool.initialize();
    parentPort.postMessage('stopped');
  },
};

async function main() {
  const { stdout } = await pool.run('print("from a worker")');
  parentPort.postMessage(stdout);
  await STOPS[workerData.stop]();
  parentPort.on('message', () => {});
}

main();
