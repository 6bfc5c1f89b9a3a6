'use strict';

// A fault of the native part ends the call it is in, and nothing else.

const { loadNative } = require('../../lib/native');
const { useFakeEngine } = require('../support/fake-bench');
const { runNode } = require('../support/node');

const bench = useFakeEngine();

it('a panic is an error of the call, and the process and its pools go on', async () => {
  const { panicForTest } = loadNative();
  const pool = bench.pool({ poolSize: 1 });
  await pool.initialize();
  expect(() => panicForTest(false)).toThrow('a panic in a call');
  await expect(panicForTest(true)).rejects.toThrow('panic');
  expect(await pool.run('x')).toMatchObject({ exitCode: 0 });
});

it('it does not end the process', async () => {
  const { stdout } = await runNode(`
    const { loadNative } = require(${JSON.stringify(require.resolve('../../lib/native'))});
    const { panicForTest } = loadNative();
    try { panicForTest(false) } catch { console.log('caught') }
    panicForTest(true).catch(() => console.log('rejected'));`);
  expect(stdout).toBe('caught\nrejected\n');
});
