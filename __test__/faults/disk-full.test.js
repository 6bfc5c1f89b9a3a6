'use strict';

// The engine's disk is full. Creates fail with its own words (invariant 4), who is warm still runs, who
// is done is removed (3), and when there is room again the pool fills up by itself (6).

const fs = require('node:fs');
const path = require('node:path');

const { settled, until } = require('../support/engine');
const { describeOwn, useOwnEngine } = require('../support/own-bench');

const MIB = 2 ** 20;

describeOwn('an engine whose disk is full', () => {
  const bench = useOwnEngine({ image: 'busybox:stable', diskSize: 64 * MIB });

  /** Takes the last byte; what it returns gives all of them back. */
  function fill() {
    const file = path.join(bench.engine.disk, 'filler');
    const descriptor = fs.openSync(file, 'w');
    for (const size of [MIB, 4096]) {
      try {
        for (;;) fs.writeSync(descriptor, Buffer.alloc(size, 1));
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      }
    }
    fs.closeSync(descriptor);
    return () => fs.rmSync(file);
  }

  it('fails creates clearly, runs what is warm, removes what is done, and recovers', async () => {
    const pool = bench.pool({ poolSize: 2 });
    await pool.initialize();
    const [first, second] = [await pool.acquire(), await pool.acquire()];
    await settled(pool);
    const free = fill();
    const failure = {
      code: 'ENGINE_ERROR',
      statusCode: 500,
      message: expect.stringContaining('no space left on device'),
    };
    expect(await first.execute(['echo', 'leased'])).toMatchObject({ stdout: 'leased\n' });
    expect(await pool.run(['echo', 'warm'])).toMatchObject({ stdout: 'warm\n' });
    await pool.acquire();
    await expect(pool.acquire()).rejects.toMatchObject(failure);
    await until(() => pool.stats().state === 'degraded');
    await second.destroy();
    const listed = (await bench.containersOf(pool)).map(({ Id }) => Id);
    expect(listed).not.toContain(second.id);

    free();
    await settled(pool);
    expect(pool.stats().state).toBe('healthy');
    expect(await pool.run(['echo', 'room'])).toMatchObject({ stdout: 'room\n' });
    await first.destroy();
    // What half-made creates left behind is gone as well; two are warm and one is leased.
    await until(async () => (await bench.containersOf(pool)).length === 3);
  });
});
