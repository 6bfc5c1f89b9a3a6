'use strict';

// What becomes of one pod while nobody asks for it.

const { Pools, outside, settled, until } = require('../../support/engine');
const { begin, cluster, podNamed, warm } = require('../../support/cluster');

const PREEMPTOR = 'preemptor';

const pools = new Pools();
afterEach(async () => {
  await pools.close();
  if (await podNamed(PREEMPTOR)) await outside().kill(PREEMPTOR);
});

async function start() {
  const pool = pools.make({ poolSize: 1 });
  await pool.initialize();
  return pool;
}

function evict(name) {
  const body = { apiVersion: 'policy/v1beta1', kind: 'Eviction', metadata: { name } };
  return outside().request('POST', `pods/${name}/eviction`, { body });
}

/** Has a pod come that goes before it, and takes all of its node. */
async function preempt(name) {
  const { spec } = await podNamed(name);
  const node = await cluster.request('GET', `/api/v1/nodes/${spec.nodeName}`);
  const { memory } = node.body.status.allocatable;
  const container = {
    ...{ name: 'only', image: 'busybox:stable', imagePullPolicy: 'Never' },
    command: ['sleep', '600'],
    resources: { requests: { memory } },
  };
  const body = {
    metadata: { name: PREEMPTOR },
    spec: {
      priorityClassName: 'system-cluster-critical',
      nodeSelector: { 'kubernetes.io/hostname': spec.nodeName },
      automountServiceAccountToken: false,
      containers: [container],
    },
  };
  await outside().request('POST', 'pods', { body });
}

describe.each([
  ['deleted by hand', (name) => outside().kill(name)],
  ['evicted', evict],
  ['preempted', preempt],
])('%s', (_, end) => {
  test('while a call runs: that is lost, and the pod replaced', async () => {
    const pool = await start();
    const container = await pool.acquire();
    const { call } = await begin(container);
    await end(container.id);
    await expect(call).rejects.toMatchObject({ code: 'CONTAINER_LOST', containerId: container.id });
    await container.destroy();
    await settled(pool);
  });

  test('while it is warm: it is given to nobody, and replaced', async () => {
    const pool = await start();
    const [before] = warm(pool);
    await end(before);
    await until(() => warm(pool).length === 1 && !warm(pool).includes(before));
    expect((await pool.run('print(1)')).stdout).toBe('1');
    expect(pool.stats().totals.lost).toBe(1);
  });
});

test('a script that is killed for memory ends as oom, and its pod is replaced', async () => {
  const pool = await start();
  const result = await pool.run('data = b"x" * (1 << 30)');
  expect(result).toMatchObject({ reason: 'oom' });
  await settled(pool);
});

test('what a script wrote is in no log', async () => {
  const pool = await start();
  const container = await pool.acquire();
  await container.execute('print("secret" * 1000)');
  // The API hears of a pod that runs after the pool does, and has no log of it before.
  await until(async () => (await podNamed(container.id)).status.phase === 'Running');
  const log = await outside().request('GET', `pods/${container.id}/log`, { text: true });
  expect(log).toBe('');
});
