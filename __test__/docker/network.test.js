'use strict';

// What a `network` lets a script reach: of a service on it, of one on another, and of what is beyond the
// machine. On an engine in a network of its own, whose firewall is not the machine's.

const { readFileSync } = require('node:fs');
const path = require('node:path');

const { ensureProgram } = require('../../harness/apt');
const { Pools } = require('../support/engine');
const { describeOwn, useOwnEngine } = require('../support/own-bench');
const { until } = require('../../harness/until');

const IMAGE = 'python:3.9-slim';

const program = (name) => readFileSync(path.join(__dirname, 'programs', name), 'utf8');

describeOwn('a script', () => {
  // Before the engine's own end: hooks run in the order in which they stand here.
  afterAll(async () => {
    for (const thing of made) await thing.remove({ force: true });
  });
  const bench = useOwnEngine({ image: IMAGE, ownNetwork: true });
  /** Where each service is, by its name. */
  const at = {};
  const made = [];

  /** Starts a service that says its name, on a network of the engine's. */
  async function serve(name, network) {
    const service = await bench.docker().createContainer({
      name,
      Image: IMAGE,
      Cmd: ['python3', '-c', program('serve.py'), name],
      HostConfig: { NetworkMode: network },
    });
    made.unshift(service);
    await service.start();
    const { State, NetworkSettings } = await service.inspect();
    at[name] = NetworkSettings.Networks[network].IPAddress;
    return State.Pid;
  }

  /** Puts a service beyond the machine: at the other end of a cable, on no network of the engine's. */
  async function serveBeyond(name) {
    const pid = String(await serve(name, 'none'));
    const ip = (...args) => bench.engine.run('ip', ...args);
    const inside = (...args) =>
      bench.engine.run('nsenter', '--target', pid, '--net', 'ip', ...args);
    await ip('link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid);
    await ip('address', 'add', '198.51.100.1/24', 'dev', 'cable');
    await ip('link', 'set', 'cable', 'up');
    await inside('address', 'add', '198.51.100.2/24', 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    at[name] = '198.51.100.2';
  }

  /** What a script on that network hears from each of the addresses. */
  async function reach(network, ...addresses) {
    const pool = bench.pool({ poolSize: 0, network });
    const { stdout } = await pool.run(program('reach.py'), { args: addresses });
    return JSON.parse(stdout);
  }

  beforeAll(async () => {
    await ensureProgram('ip', ['iproute2']);
    const docker = bench.docker();
    made.unshift(await docker.createNetwork({ Name: 'plain' }));
    made.unshift(await docker.createNetwork({ Name: 'closed', Internal: true }));
    await serve('beside', 'plain');
    await serve('proxy', 'closed');
    await serveBeyond('internet');
    await until(async () => (await reach('closed', 'proxy'))[0] === 'proxy');
    await until(async () => (await reach('plain', at.internet))[0] === 'internet');
  });

  it('reaches nothing without a network', async () => {
    const all = [at.beside, at.proxy, at.internet, 'proxy'];
    expect(await reach('none', ...all)).toEqual([null, null, null, null]);
  });

  it('reaches what is on its network by name, and whatever the machine has a way to', async () => {
    const [beside, internet, proxy] = await reach('plain', 'beside', at.internet, at.proxy);
    expect([beside, internet]).toEqual(['beside', 'internet']);
    // The engine keeps its networks apart.
    expect(proxy).toBe(null);
  });

  it('reaches the service on an internal network, and nothing beyond it', async () => {
    const answers = await reach('closed', 'proxy', at.proxy, at.internet, at.beside);
    expect(answers).toEqual(['proxy', 'proxy', null, null]);
  });

  it('is told of its network, as the engine is', async () => {
    const container = await bench.pool({ poolSize: 0, network: 'closed' }).acquire();
    expect(container.security.network).toBe('closed');
    const { HostConfig, NetworkSettings } = await bench
      .docker()
      .getContainer(container.id)
      .inspect();
    expect(HostConfig.NetworkMode).toBe('closed');
    expect(Object.keys(NetworkSettings.Networks)).toEqual(['closed']);
  });
});

describe('a network that the engine does not have', () => {
  const pools = new Pools();
  afterEach(pools.close);

  it.each([0, 1])(
    'is refused at initialize by its name, with a poolSize of %d',
    async (poolSize) => {
      const pool = pools.make({ poolSize, network: 'no-such-network' });
      await expect(pool.initialize()).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/^network must be .* has no "no-such-network"/),
      });
      expect(pool.pool).toEqual([]);
    },
  );

  it('is refused at acquire, where nobody has called initialize', async () => {
    const pool = pools.make({ poolSize: 0, network: 'no-such-network' });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
