'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { DockerodePool } = require('../../harness/dockerode-pool');

/** The old service: a pool on dockerode, and its singleton. */
class ContainerPoolManager extends DockerodePool {
  static instance = null;

  static getInstance() {
    ContainerPoolManager.instance ??= new ContainerPoolManager({
      image: process.env.CONTAINER_POOL_IMAGE,
      poolSize: Number(process.env.CONTAINER_POOL_SIZE ?? 2),
    });
    return ContainerPoolManager.instance;
  }

  /** What a refill still makes would be left behind. */
  async shutdown() {
    while (this.refills > 0) await sleep(10);
    await super.shutdown();
  }
}

module.exports = ContainerPoolManager;
