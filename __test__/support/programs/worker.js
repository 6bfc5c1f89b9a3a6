'use strict';

// A worker thread with a pool, which tells its parent what a call gave, and then stays.

const { parentPort, workerData } = require('node:worker_threads');

const { ContainerPoolManager } = require('../../..');
const { address } = require('../engine');

const pool = new ContainerPoolManager({
  engine: address(),
  image: 'python:3.9-slim',
  poolSize: 1,
  labels: { 'test.pool': workerData.label },
});

async function main() {
  const { stdout } = await pool.run('print("from a worker")');
  parentPort.postMessage(stdout);
  const container = await pool.acquire();
  container.execute('import time\ntime.sleep(600)').catch(() => {});
  parentPort.postMessage('busy');
  parentPort.on('message', () => {});
}

main();
