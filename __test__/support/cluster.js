'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { parseAllDocuments } = require('yaml');

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

/** What docs/kubernetes.md has of a kind, as the API takes it. */
function documented(kind) {
  const page = fs.readFileSync(path.join(__dirname, '../../docs/kubernetes.md'), 'utf8');
  const blocks = [...page.matchAll(/^```yaml$([\s\S]*?)^```$/gm)].map(([, text]) => text);
  const all = blocks.flatMap((text) => parseAllDocuments(text).map((found) => found.toJS()));
  return all.find((found) => found.kind === kind);
}

/** Gives a user or a service account the rights that the pool needs; resolves with what takes them away again. */
async function permit(subject) {
  const group = '/apis/rbac.authorization.k8s.io/v1';
  const apiGroup = 'rbac.authorization.k8s.io';
  const { name } = subject;
  const metadata = { name };
  const make = (kind, body) => outside().request('POST', kind, { group, body });
  const { rules } = documented('Role');
  await make('roles', { metadata, rules });
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

module.exports = { begin, cluster, documented, on, permit, podNamed, warm, withoutApiServer };
