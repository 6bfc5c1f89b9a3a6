'use strict';

const { useFakePool } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakePool({ poolSize: 1 });

test('warm containers are no leases', async () => {
  await bench.pool.initialize();
  await bench.pool.run('1');
  await until(() => bench.pool.pool.length === 1);
  await bench.engine.assertNoLeases(bench.pool);
});

test('a lease is told with what ran in it', async () => {
  const container = await bench.pool.acquire();
  await container.execute('print("forgotten")');
  const assertion = bench.engine.assertNoLeases(bench.pool, { within: 0 });
  await expect(assertion).rejects.toThrow(/^1 leased and not destroyed: call destroy/);
  await expect(assertion).rejects.toThrow(
    `${container.id.slice(0, 12)} ran "print(\\"forgotten\\")"`,
  );
  await container.destroy();
  await bench.engine.assertNoLeases(bench.pool);
});

test('a lease in which nothing ran is told, too', async () => {
  bench.pool.poolSize = 0;
  const container = await bench.pool.acquire();
  await expect(bench.engine.assertNoLeases(bench.pool, { within: 0 })).rejects.toThrow(
    `${container.id.slice(0, 12)} ran nothing`,
  );
  await container.destroy();
});

test('a removal under way may come to its end', async () => {
  const release = bench.engine.hold('remove');
  const container = await bench.pool.acquire();
  const removal = container.destroy();
  await until(() => bench.engine.count('remove') > 0 || bench.pool.stats().leased === 0);
  const assertion = bench.engine.assertNoLeases(bench.pool);
  release();
  await Promise.all([removal, assertion]);
});

test('whatever is on the engine is told', async () => {
  await bench.pool.initialize();
  await expect(bench.engine.assertEmpty({ within: 0 })).rejects.toThrow(
    new RegExp(`^1 left on the engine.*\\n  ${bench.engine.ids[0].slice(0, 12)} ran nothing$`),
  );
  await bench.pool.shutdown();
  await bench.engine.assertEmpty();
});
