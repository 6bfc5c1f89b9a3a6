'use strict';

// A worker thread that asks for a container, and waits for it.

const { parentPort, workerData } = require('node:worker_threads');

const { ContainerPoolManager } = require('../../..');

const pool = new ContainerPoolManager({ engine: workerData.engine, poolSize: 0 });
pool.acquire().catch(() => {});
parentPort.postMessage('asked');
parentPort.on('message', () => {});
