'use strict';

// A script that writes without end costs neither memory nor the event loop's attention, and no other
// call its time (invariant 4).

const { Pools, until } = require('../support/engine');
const { growth } = require('../support/growth');

const pools = new Pools();
afterEach(pools.close);

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const FLOOD = `
import os
piece = b"x" * (1 << 20)
for _ in range(1 << 10):
    view = memoryview(piece)
    while view:
        view = view[os.write(1, view):]
`;

test('1 GiB goes through to a callback, every byte of it, in bounded memory', async () => {
  const pool = pools.make({ poolSize: 1 });
  await pool.run('pass');
  let seen = 0;
  const grown = await growth(async () => {
    const result = await pool.run(FLOOD, {
      collect: false,
      encoding: 'buffer',
      onStdout: (chunk) => {
        seen += chunk.length;
      },
    });
    expect(result).toMatchObject({ exitCode: 0, stdoutBytes: GIB, truncated: false });
  });
  expect(seen).toBe(GIB);
  expect(grown).toBeLessThan(64 * MIB);
});

test('1 GiB is cut at the limit, in bounded memory', async () => {
  const pool = pools.make({ poolSize: 1 });
  await pool.run('pass');
  const grown = await growth(async () => {
    const result = await pool.run(FLOOD, { encoding: 'buffer' });
    expect(result).toMatchObject({ reason: 'output_limit', truncated: true });
    expect(result.stdout).toHaveLength(10 * MIB);
  });
  expect(grown).toBeLessThan(64 * MIB);
});

test('no other call is held up: many come and go while one writes without end', async () => {
  const pool = pools.make({ poolSize: 2 });
  await pool.initialize();
  const flood = new AbortController();
  let seen = 0;
  const flooding = pool
    .run('import os\nwhile True: os.write(1, b"x" * 65536)', {
      signal: flood.signal,
      collect: false,
      encoding: 'buffer',
      onStdout: (chunk) => {
        seen += chunk.length;
      },
    })
    .catch((error) => error);
  await until(() => seen > 0);
  for (let number = 0; number < 10; number += 1) {
    const before = seen;
    const { stdout } = await pool.run(`print(${number})`, { timeout: 20_000 });
    expect(stdout).toBe(String(number));
    // The flood goes on meanwhile, at its rate.
    await until(() => seen > before);
  }
  flood.abort(new Error('enough'));
  expect((await flooding).message).toBe('enough');
});
