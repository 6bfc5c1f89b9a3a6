'use strict';

const os = require('node:os');

const { version } = require('../package.json');

/** What figures depend on: everything a reader needs to judge them. */
async function describe(docker, image) {
  const [engine, info, found] = await Promise.all([
    docker.version(),
    docker.info(),
    docker.getImage(image).inspect(),
  ]);
  const component = (name) => engine.Components?.find((one) => one.Name === name)?.Version;
  const cpus = os.cpus();
  return {
    package: { name: 'scientist-pool', version },
    baseline: { dockerode: require('dockerode/package.json').version },
    machine: {
      cpus: cpus.length,
      cpuModel: cpus[0]?.model ?? 'unknown',
      memoryBytes: os.totalmem(),
      kernel: `${os.type()} ${os.release()} ${os.arch()}`,
      node: process.version,
    },
    engine: {
      name: engine.Platform?.Name || 'Docker Engine',
      version: engine.Version,
      apiVersion: engine.ApiVersion,
      containerd: component('containerd'),
      runc: component('runc'),
      storageDriver: info.Driver,
      cgroup: `v${info.CgroupVersion ?? 1}, ${info.CgroupDriver}`,
      kernel: info.KernelVersion,
    },
    image: { name: image, id: found.Id, sizeBytes: found.Size },
  };
}

/** The load of the machine over the last minute, where the system tells it. */
function load() {
  return Number(os.loadavg()[0].toFixed(2));
}

module.exports = { describe, load };
