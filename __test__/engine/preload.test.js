'use strict';

// A package that is large, and keeps threads for its work, is imported by the template alone. It is numpy, as
// wheels go the smallest of its kind.

const fs = require('node:fs');
const path = require('node:path');

const { Pools, RUNTIME, address, outside, until } = require('../support/engine');
const { groupOf } = require('../support/engines/local');
const { served } = require('../support/wheels');

const pools = new Pools();
afterEach(pools.close);

const MODULE = 'numpy';
const WHEEL = `${MODULE}==2.2.6`;
const forks = address() === 'local' && !RUNTIME && outside().seesContainers;

let numpy;

/** A pool with one warm container, whose interpreter has it. */
async function warm(options) {
  const pool = pools.make({
    ...{ ...numpy.options, image: 'python:3.11-slim', poolSize: 0 },
    ...{ preload: [MODULE], memory: '512m', pidsLimit: 100 },
    ...options,
  });
  await pool.run('pass');
  await until(() => ['ready', 'off'].includes(pool.stats().template.state));
  // That which was begun before.
  await pool.run('pass');
  return pool;
}

/** The bytes of memory that a container shares with nothing. */
function ownMemory({ id }) {
  const processes = fs.readFileSync(path.join(groupOf(id), 'cgroup.procs'), 'utf8').trim();
  const own = processes.split('\n').flatMap((pid) => {
    const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)];
  });
  return own.reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
}

(forks ? describe : describe.skip)('a fork', () => {
  beforeAll(async () => {
    numpy = await served([WHEEL], '3.11');
  }, 300_000);
  afterAll(() => numpy.close());

  it('has it imported, and computes with it on its threads', async () => {
    const pool = await warm();
    const script = `
import sys
had = "${MODULE}" in sys.modules
import numpy
square = numpy.arange(250_000, dtype=float).reshape(500, 500)
print(had, numpy.allclose(square @ numpy.eye(500), square), numpy.random.rand())`;
    const said = async () => (await pool.run(script)).stdout.split(' ');
    const [one, other] = [await said(), await said()];
    expect(pool.stats().template.forks).toBeGreaterThanOrEqual(2);
    expect(one.slice(0, 2)).toEqual(['True', 'True']);
    expect(other.slice(0, 2)).toEqual(['True', 'True']);
    expect(other[2]).not.toBe(one[2]);
  });

  it('holds little memory of its own, where a booted one holds all of it', async () => {
    const [forked, booted] = [await warm(), await warm({ template: false })];
    const [fork, boot] = [await forked.acquire(), await booted.acquire()];
    expect(ownMemory(fork)).toBeLessThan(6 * 1024 ** 2);
    expect(ownMemory(boot)).toBeGreaterThan(2 * ownMemory(fork));
  });
});
