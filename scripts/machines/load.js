'use strict';

// In a machine: `node load.js ADDRESS ARCHIVE…` brings images into the engine there, and says what that is made of.

const { finished } = require('node:stream/promises');

const { connect, ping } = require('../../harness/engine');
const { until } = require('../../harness/until');

async function main([host, ...archives]) {
  const { DOCKER_CERT_PATH, DOCKER_TLS_VERIFY } = process.env;
  const address = { env: { DOCKER_HOST: host, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY } };
  await until(async () => (await ping(address)) === null, 120_000);
  const engine = connect(address);
  for (const archive of archives) {
    const answer = await engine.loadImage(archive);
    await finished(answer.resume());
  }
  const { Components = [] } = await engine.version();
  const parts = Components.map(({ Name, Version }) => `${Name} ${Version}`);
  const { CgroupDriver, CgroupVersion, DefaultRuntime, SecurityOptions } = await engine.info();
  parts.push(`${DefaultRuntime} by default`, `cgroup v${CgroupVersion} by ${CgroupDriver}`);
  process.stdout.write(`${[...parts, ...(SecurityOptions ?? [])].join(', ')}\n`);
}

main(process.argv.slice(2));
