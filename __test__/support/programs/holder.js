'use strict';

// A process with a pool, for tests of what its end leaves behind. Arguments: what it does when its
// pool is warm, and the label of its containers. Says `up` and then does it.

const { ContainerPoolManager } = require('../../..');
const { address } = require('../engine');

const [, , ending, label] = process.argv;

const pool = new ContainerPoolManager({
  engine: address(),
  image: 'python:3.9-slim',
  poolSize: 2,
  labels: { 'test.pool': label },
  handleSignals: ending === 'handleSignals',
});

const endings = {
  // Nothing keeps it alive but what its parent does to it.
  wait: () => setInterval(() => {}, 1000),
  idle: () => {},
  execute: async () => {
    const container = await pool.acquire();
    const { stdout } = await container.execute('import time\ntime.sleep(1)\nprint("done")');
    console.log(stdout);
  },
  running: async () => {
    const container = await pool.acquire();
    await container.execute('import time\ntime.sleep(600)');
  },
  exit: () => process.exit(3),
  throw: () => {
    throw new Error('uncaught');
  },
  handleSignals: () => setInterval(() => {}, 1000),
};

if (ending === 'warming') {
  pool.initialize();
  pool.on('created', () => console.log('up'));
} else {
  pool.initialize().then(() => {
    console.log('up');
    return endings[ending]();
  });
}
