'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { ask } = require('../../harness/kubernetes/control');
const { outside } = require('./engine');

/** The cluster of `npm run test:kubernetes`: what its class in `harness/kubernetes/cluster.js` does, by the same names. */
const cluster = new Proxy(
  {},
  {
    get:
      (_, what) =>
      (...args) =>
        ask(process.env.SCIENTIST_POOL_TEST_CLUSTER, what, ...args),
  },
);

// What governs a cluster takes its time to come back, on a busy machine most of all.
jest.setTimeout(240_000);

/** Does something while there is no API server, and starts it again whatever comes of that. */
async function withoutApiServer(work = () => {}) {
  await cluster.end('apiserver', 'SIGKILL');
  try {
    return await work();
  } finally {
    await cluster.startApiServer();
  }
}

/** The options of a pool all of whose pods are on one node. */
const on = (node) => ({ kubernetes: { nodeSelector: { 'kubernetes.io/hostname': node } } });

/** The ids of a pool's warm containers, in order. */
const warm = (pool) => pool.pool.map(({ id }) => id).sort();

/** As the API server has it; `null`: it has none of that name. */
async function podNamed(name) {
  try {
    return await outside().request('GET', `pods/${name}`);
  } catch (error) {
    if (/: 404 /.test(error.message)) return null;
    throw error;
  }
}

/** The rules of the Role in docs/kubernetes.md. */
function rules() {
  const page = fs.readFileSync(path.join(__dirname, '../../docs/kubernetes.md'), 'utf8');
  const [, role] = /^kind: Role$([\s\S]*?)^```$/m.exec(page);
  const list = (text) => text.split(',').map((word) => word.replaceAll("'", '').trim());
  const lines = role.matchAll(/apiGroups: \[(.*?)\], resources: \[(.*?)\], verbs: \[(.*?)\]/g);
  return [...lines].map(([, groups, resources, verbs]) => ({
    ...{ apiGroups: list(groups), resources: list(resources), verbs: list(verbs) },
  }));
}

/** Gives a user or a service account the rights that the pool needs; resolves with what takes them away again. */
async function permit(subject) {
  const group = '/apis/rbac.authorization.k8s.io/v1';
  const apiGroup = 'rbac.authorization.k8s.io';
  const { name } = subject;
  const metadata = { name };
  const make = (kind, body) => outside().request('POST', kind, { group, body });
  await make('roles', { metadata, rules: rules() });
  const subjects = [subject.kind === 'User' ? { apiGroup, ...subject } : subject];
  await make('rolebindings', { metadata, subjects, roleRef: { apiGroup, kind: 'Role', name } });
  return async () => {
    for (const kind of ['rolebindings', 'roles']) {
      await outside().request('DELETE', `${kind}/${name}`, { group });
    }
  };
}

const SLEEP = 'import time\nprint("begun", flush=True)\ntime.sleep(600)';

/** Begins a call that does not end by itself; resolves with it once it runs. */
function begin(container, options = {}) {
  return new Promise((resolve, reject) => {
    const onStdout = () => resolve({ call });
    const call = container.execute(SLEEP, {}, [], { ...options, onStdout });
    call.catch(reject);
  });
}

module.exports = { begin, cluster, on, permit, podNamed, warm, withoutApiServer };
