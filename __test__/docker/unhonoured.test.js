'use strict';

const { docker } = require('../support/docker');
const { Pools } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

test('what the engine does not honour is told once, at initialize, and on each container', async () => {
  const pool = pools.make({ poolSize: 1 });
  const told = [];
  pool.on('engine', ({ engine }) => told.push(engine));
  await pool.initialize();
  const container = await pool.acquire();
  expect(told).toHaveLength(1);
  const { SecurityOptions, SwapLimit, PidsLimit } = await docker().info();
  const names = told[0].unhonoured.map(({ name }) => name);
  expect(names.includes('apparmor')).toBe(
    !SecurityOptions.some((option) => /name=(apparmor|selinux)/.test(option)),
  );
  expect(names.includes('swap')).toBe(!SwapLimit);
  expect(names.includes('pids')).toBe(!PidsLimit);
  expect(told[0].isolation.rootless).toBe(SecurityOptions.includes('name=rootless'));
  expect(container.security.unhonoured).toEqual(told[0].unhonoured);
});
