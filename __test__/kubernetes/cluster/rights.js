'use strict';

// A user who has what docs/kubernetes.md asks for, and nothing else.

const { cli } = require('../../support/cli');
const { cluster, permit } = require('../../support/cluster');

const USER = 'backend';

async function doctor() {
  const env = { KUBECONFIG: await cluster.user(USER, 'default') };
  const { stdout, code } = await cli(['doctor', '--engine', 'kubernetes', '--json'], { env });
  const { findings } = JSON.parse(stdout);
  return { code, told: findings.map(({ detail }) => detail).join('\n'), findings };
}

test('without them doctor says which are missing; with them it finds nothing wrong', async () => {
  expect((await doctor()).told).toContain('may not');
  const revoke = await permit({ kind: 'User', name: USER });
  try {
    const { code, told, findings } = await doctor();
    expect(told).not.toContain('may not');
    expect(findings.filter(({ state }) => state === 'failure')).toEqual([]);
    expect(code).toBe(0);
  } finally {
    await revoke();
  }
});
