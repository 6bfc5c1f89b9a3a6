'use strict';

// `node calls.js IMAGE FILE`: makes warm calls one at a time, and writes when each began and ended, in
// nanoseconds of CLOCK_MONOTONIC, and which threads this process has.

const fs = require('node:fs');

const { opener } = require('../sides');
const { hello } = require('../jobs');
const { execute, quiet } = require('../timing');

const ROUNDS = 6;
const CALLS = 10;

async function main(image, file) {
  const open = opener({ image, labels: { 'bench.scientist-pool': '1' } });
  const pool = await open('scientist-pool', { poolSize: CALLS });
  const calls = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const containers = [];
      for (let at = 0; at < CALLS; at += 1) containers.push(await pool.acquire());
      await quiet([pool]);
      for (const container of containers) {
        const began = process.hrtime.bigint();
        await execute(container, hello);
        const ended = process.hrtime.bigint();
        // The first round warms up this process.
        if (round > 0) calls.push([Number(began), Number(ended)]);
      }
      await Promise.all(containers.map((container) => container.destroy()));
    }
  } finally {
    await pool.close();
  }
  const threads = fs.readdirSync('/proc/self/task').map(Number);
  fs.writeFileSync(file, JSON.stringify({ calls, main: process.pid, threads }));
}

main(...process.argv.slice(2));
