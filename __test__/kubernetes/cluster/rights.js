'use strict';

// A user who has what docs/kubernetes.md asks for, and nothing else.

const fs = require('node:fs');
const path = require('node:path');

const { cli } = require('../../support/cli');
const { outside } = require('../../support/engine');
const { cluster } = require('../../support/cluster');

const group = '/apis/rbac.authorization.k8s.io/v1';
const apiGroup = 'rbac.authorization.k8s.io';
const USER = 'backend';

/** The rules of the page's Role. */
function rules() {
  const page = fs.readFileSync(path.join(__dirname, '../../../docs/kubernetes.md'), 'utf8');
  const [, role] = /^kind: Role$([\s\S]*?)^```$/m.exec(page);
  const list = (text) => text.split(',').map((word) => word.replaceAll("'", '').trim());
  const lines = role.matchAll(/apiGroups: \[(.*?)\], resources: \[(.*?)\], verbs: \[(.*?)\]/g);
  return [...lines].map(([, groups, resources, verbs]) => ({
    ...{ apiGroups: list(groups), resources: list(resources), verbs: list(verbs) },
  }));
}

async function doctor() {
  const env = { KUBECONFIG: await cluster.user(USER, 'default') };
  const { stdout, code } = await cli(['doctor', '--engine', 'kubernetes', '--json'], { env });
  const { findings } = JSON.parse(stdout);
  return { code, told: findings.map(({ detail }) => detail).join('\n'), findings };
}

afterEach(async () => {
  for (const kind of ['rolebindings', 'roles']) {
    await outside()
      .request('DELETE', `${kind}/${USER}`, { group })
      .catch(() => {});
  }
});

test('without them doctor says which are missing; with them it finds nothing wrong', async () => {
  expect((await doctor()).told).toContain('may not');
  const metadata = { name: USER };
  await outside().request('POST', 'roles', { group, body: { metadata, rules: rules() } });
  const roleRef = { apiGroup, kind: 'Role', name: USER };
  const subjects = [{ apiGroup, kind: 'User', name: USER }];
  const body = { metadata, roleRef, subjects };
  await outside().request('POST', 'rolebindings', { group, body });
  const { code, told, findings } = await doctor();
  expect(told).not.toContain('may not');
  expect(findings.filter(({ state }) => state === 'failure')).toEqual([]);
  expect(code).toBe(0);
});
