'use strict';

// A container has the limits and the hardening it is promised, as it looks from inside.

const { Pools, outside } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

const MIB = 1 << 20;

test('the limits hold inside', async () => {
  const pool = pools.make({ poolSize: 1 });
  const { stdout, stderr } = await pool.run(`
import ctypes, json, os, resource, socket

def first(*paths):
    for path in paths:
        try:
            with open(path) as file:
                return file.read().split()
        except OSError:
            pass

def refused(work):
    try:
        work()
    except OSError as error:
        return error.strerror

status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
print(json.dumps({
    'interfaces': [name for _, name in socket.if_nameindex()],
    'connect': refused(lambda: socket.create_connection(('192.0.2.1', 80), 1)),
    'memory': first('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'),
    'pids': first('/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/pids/pids.max'),
    'cpu': first('/sys/fs/cgroup/cpu.max', '/sys/fs/cgroup/cpu/cpu.cfs_quota_us'),
    'ids': [os.getuid(), os.getgid(), os.getgroups()],
    'root': refused(lambda: os.mkdir('/folder')),
    'capabilities': [status['CapEff'], status['CapBnd']],
    'no_new_privileges': ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),
    'seccomp': status['Seccomp'],
    'core': resource.getrlimit(resource.RLIMIT_CORE),
    'files': resource.getrlimit(resource.RLIMIT_NOFILE),
    'home': [os.environ['HOME'], os.getcwd()],
}))`);
  expect(stderr).toBe('');
  const limits = outside().showsLimits
    ? { memory: [`${128 * MIB}`], pids: ['50'], cpu: expect.arrayContaining(['50000']) }
    : { memory: null, pids: null, cpu: null };
  expect(JSON.parse(stdout)).toEqual({
    interfaces: ['lo'],
    // The latter is gVisor's word for it.
    connect: expect.stringMatching(/^(Network is unreachable|No route to host)$/),
    ...limits,
    ids: [65534, 65534, expect.any(Array)],
    root: 'Read-only file system',
    capabilities: ['0000000000000000', '0000000000000000'],
    no_new_privileges: 1,
    seccomp: '2',
    core: [0, 0],
    files: [1024, 1024],
    home: ['/tmp', '/tmp'],
  });
});

test("hardening: 'legacy' has scripts run as root, on a root that they can write", async () => {
  const pool = pools.make({ poolSize: 1, hardening: 'legacy' });
  const { stdout } = await pool.run('import os\nopen("/file", "w")\nprint(os.getuid())');
  expect(stdout).toBe('0');
});

test('whatever runs, a second job too, is killed for memory before process 1', async () => {
  const container = await pools.make({ poolSize: 1 }).acquire();
  const scores =
    "print(*(open(f'/proc/{pid}/oom_score_adj').read().strip() for pid in (1, 'self')))";
  for (const what of [scores, scores, ['python3', '-c', scores]]) {
    const [first, script] = (await container.execute(what)).stdout.split(' ').map(Number);
    expect(script).toBe(1000);
    expect(first).toBeLessThan(script);
  }
});
