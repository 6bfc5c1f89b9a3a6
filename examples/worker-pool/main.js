'use strict';

// node examples/worker-pool/main.js
//
// Worker threads, each with a pool of its own. A pool's `max` holds for its thread, so what the engine
// can bear is shared out among them.

const path = require('node:path');
const { Worker } = require('node:worker_threads');

const THREADS = 2;
const CONTAINERS = 8;

/** Threads that take jobs, one at a time each. */
class Threads {
  #idle = [];
  #waiting = [];
  #all;

  constructor(count, containers) {
    this.#all = Array.from({ length: count }, () => {
      const workerData = { max: Math.floor(containers / count) };
      const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData });
      this.#idle.push(worker);
      return worker;
    });
  }

  /** Has the next free thread do a job; gives its answer. */
  async do(job) {
    const worker =
      this.#idle.pop() ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
    try {
      return await new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', (answer) => {
          worker.off('error', reject);
          resolve(answer);
        });
        worker.postMessage(job);
      });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(worker);
      else next(worker);
    }
  }

  /** Has every thread shut its pool down; resolves when they have ended. */
  async end() {
    await Promise.all(
      this.#all.map((worker) => {
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        worker.postMessage(null);
        return ended;
      }),
    );
  }
}

async function main() {
  const threads = new Threads(THREADS, CONTAINERS);
  try {
    const numbers = [12, 97, 360, 1001, 65_537];
    const answers = await Promise.all(numbers.map((number) => threads.do({ number })));
    for (const [at, number] of numbers.entries()) console.log(`${number}: ${answers[at]}`);
  } finally {
    await threads.end();
  }
}
main();
