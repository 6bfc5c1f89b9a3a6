'use strict';

const { FakeEngine } = require('scientist-pool/testing');
const ContainerPoolManager = require('scientist-pool');

const { until } = require('../support/until');

let engine;
let pool;
beforeEach(async () => {
  engine = await FakeEngine.start();
  pool = new ContainerPoolManager({ engine: engine.address, poolSize: 1 });
});
afterEach(async () => {
  await pool.shutdown({ grace: 0 });
  await engine.close();
});

test('warm containers are no leases', async () => {
  await pool.initialize();
  await pool.run('1');
  await until(() => pool.pool.length === 1);
  await engine.assertNoLeases(pool);
});

test('a lease is told with what ran in it', async () => {
  const container = await pool.acquire();
  await container.execute('print("forgotten")');
  const assertion = engine.assertNoLeases(pool, { within: 0 });
  await expect(assertion).rejects.toThrow(/^1 leased and not destroyed: call destroy/);
  await expect(assertion).rejects.toThrow(
    `${container.id.slice(0, 12)} ran "print(\\"forgotten\\")"`,
  );
  await container.destroy();
  await engine.assertNoLeases(pool);
});

test('a lease in which nothing ran is told, too', async () => {
  pool.poolSize = 0;
  const container = await pool.acquire();
  await expect(engine.assertNoLeases(pool, { within: 0 })).rejects.toThrow(
    `${container.id.slice(0, 12)} ran nothing`,
  );
  await container.destroy();
});

test('a removal under way may come to its end', async () => {
  const release = engine.hold('remove');
  const container = await pool.acquire();
  const removal = container.destroy();
  await until(() => engine.count('remove') > 0 || pool.stats().leased === 0);
  const assertion = engine.assertNoLeases(pool);
  release();
  await Promise.all([removal, assertion]);
});

test('whatever is on the engine is told', async () => {
  await pool.initialize();
  await expect(engine.assertEmpty({ within: 0 })).rejects.toThrow(
    new RegExp(`^1 left on the engine.*\\n  ${engine.ids[0].slice(0, 12)} ran nothing$`),
  );
  await pool.shutdown();
  await engine.assertEmpty();
});
