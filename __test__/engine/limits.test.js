'use strict';

// A container has the limits and the hardening it is promised: as the engine says, and as it looks
// from inside.

const { Pools, docker, containersOf } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

const MIB = 1 << 20;

test('the engine was told of every limit and of the whole hardening', async () => {
  const pool = pools.make({ poolSize: 1, memory: 96 * MIB, pidsLimit: 40, cpuQuota: 30_000 });
  await pool.initialize();
  const { Config, HostConfig, Mounts } = await docker().getContainer(pool.pool[0].id).inspect();
  expect(HostConfig).toMatchObject({
    AutoRemove: true,
    Binds: null,
    CapDrop: ['ALL'],
    CpuPeriod: 100_000,
    CpuQuota: 30_000,
    IpcMode: 'private',
    LogConfig: { Type: 'none' },
    Memory: 96 * MIB,
    MemorySwap: 96 * MIB,
    NetworkMode: 'none',
    PidsLimit: 40,
    Privileged: false,
    ReadonlyRootfs: true,
    RestartPolicy: { Name: expect.stringMatching(/^(no)?$/) },
    ShmSize: 16 * MIB,
    Tmpfs: { '/tmp': expect.stringContaining('size=64m') },
  });
  expect(HostConfig.CapAdd ?? []).toEqual([]);
  expect(HostConfig.SecurityOpt).toContain('no-new-privileges');
  expect(HostConfig.Ulimits).toEqual(
    expect.arrayContaining([
      { Name: 'nofile', Soft: 1024, Hard: 1024 },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: 64 * MIB, Hard: 64 * MIB },
    ]),
  );
  expect(Config).toMatchObject({ User: '65534:65534', WorkingDir: '/tmp', Tty: false });
  expect(Mounts).toEqual([]);
});

test('they hold inside', async () => {
  const pool = pools.make({ poolSize: 1 });
  const { stdout, stderr } = await pool.run(`
import json, os, resource, socket

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
    'root': refused(lambda: open('/file', 'w')),
    'capabilities': [status['CapEff'], status['CapBnd']],
    'no_new_privileges': status['NoNewPrivs'],
    'seccomp': status['Seccomp'],
    'core': resource.getrlimit(resource.RLIMIT_CORE),
    'files': resource.getrlimit(resource.RLIMIT_NOFILE),
    'home': [os.environ['HOME'], os.getcwd()],
}))`);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    interfaces: ['lo'],
    connect: 'Network is unreachable',
    memory: [`${128 * MIB}`],
    pids: ['50'],
    cpu: expect.arrayContaining(['50000']),
    ids: [65534, 65534, expect.any(Array)],
    root: 'Read-only file system',
    capabilities: ['0000000000000000', '0000000000000000'],
    no_new_privileges: '1',
    seccomp: '2',
    core: [0, 0],
    files: [1024, 1024],
    home: ['/tmp', '/tmp'],
  });
});

test("hardening: 'legacy' is what the old containers had, limits included", async () => {
  const pool = pools.make({ poolSize: 1, hardening: 'legacy' });
  const { stdout } = await pool.run('import os\nopen("/file", "w")\nprint(os.getuid())');
  expect(stdout).toBe('0');
  await pool.initialize();
  const [{ Id }] = await containersOf(pool);
  const { HostConfig } = await docker().getContainer(Id).inspect();
  expect(HostConfig).toMatchObject({ NetworkMode: 'none', Memory: 128 * MIB, PidsLimit: 50 });
  expect(HostConfig.CapDrop ?? []).toEqual([]);
});

test('whatever runs, a second job too, is killed for memory before process 1', async () => {
  const container = await pools.make({ poolSize: 1 }).acquire();
  const scores =
    "print(*(open(f'/proc/{pid}/oom_score_adj').read().strip() for pid in (1, 'self')))";
  for (const what of [scores, scores, ['python3', '-c', scores]]) {
    expect((await container.execute(what)).stdout.trim()).toBe('0 1000');
  }
});
