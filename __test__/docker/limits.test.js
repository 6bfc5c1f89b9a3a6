'use strict';

// What the engine was told of the limits and of the hardening, as it says.

const { docker } = require('../support/docker');
const { Pools } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

const MIB = 1 << 20;

/** The configuration of a warm container of a new pool. */
async function configOf(options) {
  const pool = pools.make({ poolSize: 1, ...options });
  await pool.initialize();
  return docker().getContainer(pool.pool[0].id).inspect();
}

test('the engine was told of every limit and of the whole hardening', async () => {
  const options = { memory: 96 * MIB, pidsLimit: 40, cpuQuota: 30_000 };
  const { Config, HostConfig, Mounts } = await configOf(options);
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

test("hardening: 'legacy' is what the old containers had, limits included", async () => {
  const { HostConfig } = await configOf({ hardening: 'legacy' });
  expect(HostConfig).toMatchObject({ NetworkMode: 'none', Memory: 128 * MIB, PidsLimit: 50 });
  expect(HostConfig.CapDrop ?? []).toEqual([]);
});
