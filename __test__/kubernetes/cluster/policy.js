'use strict';

// What is said of the network. The API server knows the policies; this cluster's network enforces none.

const { Pools, outside } = require('../../support/engine');
const { cli } = require('../../support/cli');
const { documented } = require('../../support/cluster');

const GROUP = { group: '/apis/networking.k8s.io/v1' };

const pools = new Pools();
afterEach(pools.close);

/** What a container and doctor say that is not closed. */
async function told() {
  const pool = pools.make({ poolSize: 1 });
  const container = await pool.acquire();
  const { stdout } = await cli(['doctor', '--engine', 'kubernetes', '--json']);
  const { findings } = JSON.parse(stdout);
  return {
    missing: container.security.unhonoured.map(({ name }) => name),
    state: findings.find(({ name }) => name === 'network').state,
  };
}

test('the network is open to scripts, unless the NetworkPolicy of the docs closes it', async () => {
  const open = await told();
  expect(open).toMatchObject({ missing: expect.arrayContaining(['network']), state: 'warning' });

  const { metadata, spec } = documented('NetworkPolicy');
  const body = { metadata: { name: metadata.name }, spec };
  await outside().request('POST', 'networkpolicies', { ...GROUP, body });
  try {
    const closed = await told();
    expect(closed).toMatchObject({ missing: expect.not.arrayContaining(['network']), state: 'ok' });
  } finally {
    await outside().request('DELETE', `networkpolicies/${metadata.name}`, GROUP);
  }
});
