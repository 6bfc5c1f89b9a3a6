'use strict';

// What the package takes of the process it is in, as far as that can be counted; `npm run bench` measures
// what it can't, in its scenario `cost`.

const { execFile } = require('node:child_process');
const path = require('node:path');
const { promisify } = require('node:util');

const { useFakeEngine } = require('../support/fake-bench');
const { runNode } = require('../support/node');

const MIB = 2 ** 20;

const bench = useFakeEngine();

/** How many handles for waking it the event loop has: it looks through all of them at each waking. */
const wakers = () => process.report.getReport().libuv.filter(({ type }) => type === 'async').length;

it('the event loop has no more to look through with 1000 callers in line than with one', async () => {
  const pool = bench.pool({ poolSize: 0, max: 1 });
  const holder = await pool.acquire();
  const acquiring = [pool.acquire()];
  const few = wakers();
  acquiring.push(...Array.from({ length: 1000 }, () => pool.acquire()));
  const many = wakers();
  const ended = Promise.allSettled(acquiring);
  await pool.shutdown({ grace: 0 });
  await holder.destroy();
  const codes = (await ended).map(({ reason }) => reason.code);
  expect(codes).toEqual(Array(1001).fill('POOL_CLOSED'));
  expect(many).toBe(few);
});

it('a result that is held counts as memory for the garbage collector', async () => {
  bench.engine.run = () => ({ stdout: 'x'.repeat(8 * MIB) });
  // In a process of its own, for what the engine holds is in this one.
  const { stdout, stderr } = await runNode(`
    const Pool = require('scientist-pool');
    const pool = new Pool({ engine: ${JSON.stringify(bench.engine.address)} });
    (async () => {
      await pool.initialize();
      const before = process.memoryUsage().external;
      const { stdout } = await pool.run('1', { encoding: 'buffer' });
      console.log(process.memoryUsage().external - before, stdout.length);
      await pool.shutdown();
    })();`);
  expect(stderr).toBe('');
  const [counted, held] = stdout.split(' ').map(Number);
  expect(held).toBe(8 * MIB);
  expect(counted).toBeGreaterThanOrEqual(held);
});

it('a warm container costs at most 64 KiB of memory, and no thread', async () => {
  // In a process of its own, for the engine is in this one.
  const program = path.join(__dirname, '../../harness/footprint.js');
  const options = JSON.stringify({ engine: bench.engine.address, poolSize: 200 });
  const args = ['--expose-gc', program, options, '1'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { memory, threads } = JSON.parse(stdout);
  expect(threads).toBe(0);
  expect(memory).toBeLessThanOrEqual(64);
});
