'use strict';

const { OwnEngine } = require('../../harness/own-engine');
const { docker } = require('./docker');
const { Pools } = require('./engine');
const { DockerOutside } = require('./engines/docker');

/** Where an engine of our own can be started: what needs one is left out elsewhere, and says so. */
const canOwn = process.platform === 'linux' && process.getuid() === 0;

/** `describe`, for what needs an engine of its own to stop, kill and freeze. */
const describeOwn = canOwn
  ? describe
  : (name, tests) => describe.skip(`${name} (needs Linux and root)`, tests);

/** Has the image the engine under test has. */
async function copyImage(engine, image) {
  const there = new DockerOutside(engine.host);
  if (await there.hasImage(image)) return;
  const own = there.client;
  const stream = await own.loadImage(await docker().getImage(image).get());
  await new Promise((resolve, reject) => {
    own.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
}

/**
 * An engine for all tests of a `describe`, to stop, kill and freeze; and pools on it. After each test
 * it is up again, its pools are shut down, and nothing may be left on it.
 *
 * @param {object} options `daemon`: keys of its `daemon.json`; `image`; `diskSize`: of its storage, in bytes;
 *   `ownNetwork`: whether it has one of its own, with a firewall
 */
function useOwnEngine({ daemon = {}, image = 'python:3.9-slim', diskSize, ownNetwork } = {}) {
  const bench = {
    engine: null,
    pools: new Pools(() => bench.outside()),
    pool: (options = {}) => bench.pools.make({ engine: bench.engine.host, image, ...options }),
    outside: () => new DockerOutside(bench.engine.host),
    docker: () => bench.outside().client,
    /** What the engine lists of a pool. */
    containersOf: (pool) => bench.outside().containersOf(pool),
    /** Whatever became of it, dockerd runs and answers. */
    async heal() {
      bench.engine.signal('SIGCONT');
      if (bench.engine.pid === null) await bench.engine.startDaemon();
    },
  };
  beforeAll(async () => {
    bench.engine = await OwnEngine.start(daemon, { diskSize, ownNetwork });
    await copyImage(bench.engine, image);
  });
  afterEach(async () => {
    await bench.heal();
    await bench.pools.close();
  });
  afterAll(() => bench.engine?.stop(), 60_000);
  return bench;
}

module.exports = { describeOwn, useOwnEngine };
