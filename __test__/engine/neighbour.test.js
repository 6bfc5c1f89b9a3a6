'use strict';

// What a script does in its own container does not stop those beside it. How much it slows them is
// measured by `npm run bench -- --scenario neighbour`.

const { ATTACKS, attack } = require('../../harness/attacks');
const { Pools, idsOf } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

test.each(Object.keys(ATTACKS))('beside a script that %s, others work', async (name) => {
  const pool = pools.make({ poolSize: 1, max: 3 });
  const attacker = await pool.acquire();
  await attack(attacker, name);
  for (let call = 0; call < 3; call += 1) {
    expect(await pool.run(`print(${call})`)).toMatchObject({ stdout: `${call}`, reason: 'exit' });
  }
  await attacker.destroy();
  const ids = await idsOf(pool);
  expect(ids).not.toContain(attacker.id);
});
