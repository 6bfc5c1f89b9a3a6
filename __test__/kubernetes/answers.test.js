'use strict';

// How the engine takes what an API server can answer, on one that is scripted.

const fs = require('node:fs');
const path = require('node:path');

const { ContainerPoolManager } = require('../..');
const { until } = require('../../harness/until');
const { cli } = require('../support/cli');
const { FakeCluster, refusal, running, waiting } = require('../../harness/kubernetes/fake-cluster');

const ALL_BUT_EXEC = [
  {
    verbs: ['create', 'get', 'list', 'watch', 'delete'],
    ...{ apiGroups: [''], resources: ['pods', 'pods/attach'] },
  },
  { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['*'] },
];

let cluster;
let pools;

beforeEach(async () => {
  cluster = await FakeCluster.start();
  pools = [];
});

afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.shutdown({ grace: 0 })));
  expect([...cluster.pods.keys()]).toEqual([]);
  expect([...cluster.leases.keys()]).toEqual([]);
  await cluster.stop();
});

function make(options = {}) {
  const { kubernetes, ...others } = options;
  const pool = new ContainerPoolManager({
    engine: 'kubernetes',
    kubernetes: { kubeconfig: cluster.kubeconfig, ...kubernetes },
    poolSize: 0,
    ...others,
  });
  pool.on('error', () => {});
  pools.push(pool);
  return pool;
}

test('a call goes by a stream: no request from acquire to result', async () => {
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  const before = cluster.seen.length;
  const container = await pool.acquire();
  const result = await container.execute('print(6 * 7)');
  expect(result).toMatchObject({ stdout: '42', exitCode: 0, reason: 'exit', path: 'warm' });
  const requests = cluster.seen.slice(before).filter((request) => request.includes(container.id));
  expect(requests).toEqual([]);
  await container.destroy();
  expect(cluster.pods.has(container.id)).toBe(false);
});

test('a pod is as closed as a pod can be', async () => {
  const pool = make({
    kubernetes: { runtimeClassName: 'gvisor', nodeSelector: { a: 'b' }, activeDeadline: 60_000 },
  });
  const container = await pool.acquire();
  const { metadata, spec } = cluster.pods.get(container.id);
  expect(spec).toMatchObject({
    restartPolicy: 'Never',
    activeDeadlineSeconds: 60,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    dnsPolicy: 'None',
    nodeSelector: { a: 'b' },
    runtimeClassName: 'gvisor',
  });
  expect(spec.containers).toHaveLength(1);
  const [only] = spec.containers;
  expect(only).toMatchObject({
    stdin: true,
    stdinOnce: false,
    securityContext: {
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsUser: 65534,
      runAsGroup: 65534,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'], add: [] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  });
  expect(only.resources.limits).toEqual(only.resources.requests);
  expect(only.resources.limits).toMatchObject({ memory: String(128 << 20), cpu: '500m' });
  const [lease] = cluster.leases.values();
  expect(metadata.ownerReferences).toMatchObject([
    { kind: 'Lease', name: lease.metadata.name, uid: lease.metadata.uid },
  ]);
});

test.each([
  [{ network: 'bridge' }, "network must be 'none' or { allow: … } on the engine 'kubernetes'"],
  [{ mounts: [{ source: __dirname, target: '/data' }] }, 'mounts must be empty on the engine'],
  [{ runtime: 'runsc' }, 'kubernetes.runtimeClassName names one'],
  [{ user: 'nobody' }, 'user must be numbers'],
  [{ seccomp: { defaultAction: 'SCMP_ACT_LOG' } }, "seccomp must be 'strict' or 'engine'"],
])("%j is no pod's, and refused before anything is asked", (options, message) => {
  const expected = { code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) };
  expect(() => make(options)).toThrow(expect.objectContaining(expected));
  expect(cluster.seen).toEqual([]);
});

test.each([
  ['ErrImagePull', 'manifest for x not found', 'IMAGE_NOT_FOUND'],
  ['ErrImagePull', 'dial tcp: i/o timeout', 'IMAGE_PULL_FAILED'],
  ['CreateContainerConfigError', 'image will run as root', 'ENGINE_ERROR'],
])('%s (%s) is %s, with those words', async (reason, message, code) => {
  cluster.run = (pod) => cluster.set(pod, waiting(reason, message));
  await expect(make().acquire({ timeout: 10_000 })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });
});

test('a quota that is used up is told in the words of the cluster', async () => {
  const words = 'pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1';
  cluster.script = (method, path) =>
    method === 'POST' && path.endsWith('/pods') ? refusal(403, 'Forbidden', words) : undefined;
  await expect(make().acquire({ timeout: 10_000 })).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    statusCode: 403,
    message: expect.stringContaining('raise the quota'),
  });
});

test('missing rights are told with where the Role is', async () => {
  const words = 'leases.coordination.k8s.io is forbidden: User "u" cannot create resource "leases"';
  cluster.script = (method, path) =>
    method === 'POST' && path.endsWith('/leases') ? refusal(403, 'Forbidden', words) : undefined;
  await expect(make().acquire({ timeout: 10_000 })).rejects.toMatchObject({
    message: expect.stringContaining('docs/kubernetes.md'),
  });
});

test('missing rights, a full quota and a runtime class that is not there are told beforehand', async () => {
  const full = { hard: { pods: '4' }, used: { pods: '4' } };
  const answers = {
    selfsubjectrulesreviews: () => ({
      body: { status: { incomplete: false, resourceRules: ALL_BUT_EXEC } },
    }),
    resourcequotas: () => ({ body: { items: [{ metadata: { name: 'small' }, status: full }] } }),
    gvisor: () => refusal(404, 'NotFound'),
  };
  cluster.script = (_method, path, body) => answers[path.split('/').at(-1)]?.(body);
  const pool = make({ kubernetes: { runtimeClassName: 'gvisor' } });
  const told = new Promise((resolve) => pool.once('engine', resolve));
  await pool.initialize();
  expect((await told).engine.warnings).toEqual([
    'The quota small has no room for a pod: 4 of 4 are there',
    expect.stringContaining('may not create pods/exec, get pods/exec in the namespace pool'),
    expect.stringContaining('no RuntimeClass gvisor'),
  ]);
});

test('what a list of rights that may have more lacks is asked for singly', async () => {
  const asked = [];
  const answers = {
    selfsubjectrulesreviews: () => ({
      body: { status: { incomplete: true, resourceRules: ALL_BUT_EXEC } },
    }),
    selfsubjectaccessreviews: ({ spec: { resourceAttributes } }) => {
      asked.push(`${resourceAttributes.verb} ${resourceAttributes.subresource}`);
      return { body: { status: { allowed: resourceAttributes.verb === 'get' } } };
    },
  };
  cluster.script = (_method, path, body) => answers[path.split('/').at(-1)]?.(body);
  const pool = make();
  const told = new Promise((resolve) => pool.once('engine', resolve));
  await pool.initialize();
  expect((await told).engine.warnings).toEqual([
    expect.stringContaining('may not create pods/exec in the namespace pool'),
  ]);
  expect(asked.sort()).toEqual(['create exec', 'get exec']);
});

test('a server in trouble is told as that, asked again where that is safe, and forgotten when it is well', async () => {
  const pool = make();
  const container = await pool.acquire();
  let refused = 0;
  cluster.script = (method) => {
    if (method !== 'DELETE' || refused === 2) return undefined;
    refused += 1;
    return refusal(500, 'InternalError', 'etcdserver: request timed out');
  };
  await container.destroy();
  expect(refused).toBe(2);
  expect(cluster.pods.size).toBe(0);
  expect(pool.stats().engine.state).toBe('healthy');
  cluster.script = (method, path) =>
    method === 'POST' && path.endsWith('/pods')
      ? refusal(500, 'InternalError', 'etcdserver: request timed out')
      : undefined;
  await expect(pool.acquire({ timeout: 10_000 })).rejects.toMatchObject({
    message: expect.stringContaining('etcdserver: request timed out'),
  });
  expect(pool.stats().engine.state).toBe('degraded');
});

test('a server with too much to do is asked again when it says', async () => {
  let refused = 0;
  cluster.script = (method, path) => {
    if (method !== 'POST' || !path.endsWith('/pods') || refused === 2) return undefined;
    refused += 1;
    return { ...refusal(429, 'TooManyRequests'), headers: { 'retry-after': '0' } };
  };
  const result = await make().run('print("through")');
  expect(result.stdout).toBe('through');
  expect(refused).toBe(2);
});

test('a watch whose version is too old begins anew, and misses nothing', async () => {
  const pool = make();
  await (await pool.acquire()).destroy();
  cluster.run = (pod) => {
    pod.status = running();
    cluster.expire();
  };
  expect((await pool.run('print(1)')).stdout).toBe('1');
});

test('a pod that is deleted by hand ends its call, and is replaced', async () => {
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  const container = await pool.acquire();
  const call = container.execute('import time\ntime.sleep(60)');
  call.catch(() => {});
  await until(() => container.status === 'BUSY');
  cluster.delete(container.id);
  await expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  await until(() => pool.stats().warm === 1);
});

test('a warm pod that is being deleted, by a node that does not answer, is given to nobody', async () => {
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  const [{ id }] = pool.pool;
  const pod = cluster.pods.get(id);
  pod.metadata.deletionTimestamp = new Date().toISOString();
  cluster.tell('MODIFIED', pod);
  await until(() => pool.stats().warm === 1 && pool.pool[0].id !== id);
  expect(pool.stats().totals.lost).toBe(1);
});

test('warm pods outlive a connection that breaks, and the first job is run by them', async () => {
  const pool = make({ poolSize: 2 });
  await pool.initialize();
  const before = [...cluster.pods.keys()].sort();
  const streams = () => cluster.count('GET /api/v1/namespaces/pool/pods/');
  expect(streams()).toBe(4);
  cluster.cut();
  // Of each the one to process 1, and the supervisor's.
  await until(() => streams() === 8);
  const container = await pool.acquire();
  expect(before).toContain(container.id);
  expect((await container.execute('print(6 * 7)')).stdout).toBe('42');
  await container.destroy();
  await until(() => pool.stats().warm === 2);
  expect(pool.stats().totals).toMatchObject({ lost: 0 });
});

test('a job that comes while the connection is broken waits for the next one', async () => {
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  const container = await pool.acquire();
  cluster.refuses = true;
  cluster.cut();
  // Of the supervisor's stream, the first job would be lost before that is noticed.
  await until(() => cluster.refused >= 4);
  const call = container.execute('print("waited")');
  cluster.refuses = false;
  expect((await call).stdout).toBe('waited');
});

test('a running call is lost with its connection, its script ends, and the pool goes on', async () => {
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  const container = await pool.acquire();
  const script = 'import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)';
  let call;
  const pid = await new Promise((resolve) => {
    call = container.execute(script, {}, [], { onStdout: (text) => resolve(Number(text)) });
    call.catch(() => {});
  });
  cluster.cut();
  await expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  await until(() => !fs.existsSync(`/proc/${pid}`));
  await until(() => pool.stats().warm === 1 && !cluster.pods.has(container.id));
});

test('what is lost in a container after its first call is the container', async () => {
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  const container = await pool.acquire();
  await container.execute('print(1)');
  cluster.cut();
  await expect(container.execute('print(2)')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  await container.destroy();
});

/** Has the cluster take a token, which a program gives; `after`: for how many ms it says that it is good. */
function issue(token, after) {
  const file = path.join(cluster.folder, 'credential');
  const expires = after && { expirationTimestamp: new Date(Date.now() + after).toISOString() };
  const apiVersion = 'client.authentication.k8s.io/v1';
  const status = { token, ...expires };
  fs.writeFileSync(file, JSON.stringify({ apiVersion, kind: 'ExecCredential', status }));
  cluster.token = token;
  const exec = { apiVersion, command: 'cat', args: [file], interactiveMode: 'Never' };
  return { exec };
}

function named(token) {
  cluster.token = token;
  return { token };
}

function written(token) {
  cluster.token = token;
  const tokenFile = path.join(cluster.folder, 'token');
  fs.writeFileSync(tokenFile, token);
  return { tokenFile };
}

test.each([
  ['a program, which said nothing of its end,', issue],
  ['a program, which said that it was good for long,', (token) => issue(token, 3_600_000)],
  ['a file', written],
  ['the kubeconfig itself', named],
])('a token from %s is withdrawn: it is looked for again, and nobody notices', async (_, by) => {
  cluster.enterBy(by('first'));
  const pool = make({ poolSize: 1 });
  const errors = [];
  pool.on('error', (error) => errors.push(error));
  await pool.initialize();
  expect(cluster.turnedAway).toBe(0);
  cluster.enterBy(by('second'));
  const results = await Promise.all([1, 2, 3].map((n) => pool.run(`print(${n})`)));
  expect(results.map(({ stdout }) => stdout)).toEqual(['1', '2', '3']);
  await until(() => pool.stats().warm === 1);
  expect(cluster.turnedAway).toBeGreaterThan(0);
  expect(errors).toEqual([]);
});

test('a token that ends within a minute is renewed before that', async () => {
  cluster.enterBy(issue('first', 30_000));
  const pool = make({ poolSize: 1 });
  await pool.initialize();
  issue('second', 30_000);
  expect((await pool.run('print(1)')).stdout).toBe('1');
  await until(() => pool.stats().warm === 1);
  expect(cluster.turnedAway).toBe(0);
});

test('a token that is withdrawn for good is told as that, and looked for again after a while', async () => {
  cluster.enterBy(issue('first'));
  const pool = make();
  await pool.run('print(1)');
  cluster.token = 'second';
  await expect(pool.run('print(2)')).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    statusCode: 401,
    message: expect.stringContaining('no longer, good'),
  });
  issue('second');
  const run = () => pool.run('print(3)').catch(() => null);
  expect((await until(run)).stdout).toBe('3');
});

test('a kubeconfig that names another cluster by now is not followed to there', async () => {
  cluster.enterBy(named('first'));
  const pool = make();
  await pool.run('print(1)');
  const text = fs.readFileSync(cluster.kubeconfig, 'utf8');
  cluster.token = 'second';
  const elsewhere = text.replace(cluster.address, 'http://127.0.0.1:9').replace('first', 'second');
  fs.writeFileSync(cluster.kubeconfig, elsewhere);
  await expect(pool.run('print(2)')).rejects.toMatchObject({ statusCode: 401 });
  cluster.token = 'first';
  expect((await pool.run('print(3)')).stdout).toBe('3');
});

const owned = (owner) => ({
  metadata: {
    ...{ name: `${owner}-1`, uid: 'u', resourceVersion: '1' },
    labels: { 'app.kubernetes.io/managed-by': 'scientist-pool', 'scientist-pool/owner': owner },
  },
  spec: { containers: [{ image: 'x' }] },
});
const lease = (name, renewed) => ({
  metadata: { name, uid: name, resourceVersion: '1' },
  spec: { leaseDurationSeconds: 60, renewTime: new Date(renewed).toISOString() },
});

test('pods whose owner has let its lease lapse are removed, and no others', async () => {
  for (const owner of ['lapsed', 'alive', 'without']) {
    cluster.pods.set(`${owner}-1`, owned(owner));
  }
  cluster.leases.set('lapsed', lease('lapsed', Date.now() - 100_000));
  cluster.leases.set('alive', lease('alive', Date.now() - 50_000));
  const pool = make();
  const told = new Promise((resolve) => pool.once('engine', resolve));
  await pool.initialize();
  expect((await told).swept.sort()).toEqual(['lapsed-1', 'without-1']);
  expect([...cluster.leases.keys()]).toEqual(['alive']);
  expect([...cluster.pods.keys()]).toEqual(['alive-1']);
  cluster.pods.clear();
  cluster.leases.clear();
});

test('prune names pods in full, of a process that may be anywhere', async () => {
  const name = 'scientist-pool-0123456789abcdef';
  cluster.pods.set(`${name}-1`, owned(name));
  const env = { KUBECONFIG: cluster.kubeconfig };
  const args = ['prune', '--engine', 'kubernetes'];
  const { stdout } = await cli([...args, '--dry-run'], { env });
  expect(stdout).toMatch(new RegExp(`^${name}-1 +x +.* +- +-$`, 'm'));
  const { removed } = JSON.parse((await cli([...args, '--yes', '--json'], { env })).stdout);
  expect(removed).toEqual([`${name}-1`]);
  expect(cluster.pods.size).toBe(0);
});
