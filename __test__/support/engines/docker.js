'use strict';

const { connect } = require('../../../harness/engine');

/** Docker, or what speaks its API, as the tests see it from outside: see `../engine.js`. */
class DockerOutside {
  /** What a process finds the engine by. */
  env;
  keepsImages = true;
  showsLimits = true;
  followsLinks = true;
  hasFilter = true;
  tellsSignals = true;
  beginsAhead = 0;
  interpreters = 1;
  needsPython = false;
  keepsSizes = true;
  onTheWay = 16;
  hasInit = false;
  seesContainers = true;
  limitsMemory = true;
  hasTerminals = true;
  deaths = [['the process']];

  constructor(address) {
    this.env = { DOCKER_HOST: address };
    const { DOCKER_CERT_PATH, DOCKER_TLS_VERIFY } = process.env;
    this.client = connect({ env: { ...this.env, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY } });
  }

  image(name) {
    return name;
  }

  /** What the engine lists of a pool, as it says it. */
  containersOf({ label }) {
    return this.client.listContainers({ all: true, filters: { label: [`test.pool=${label}`] } });
  }

  async idsOf(pool) {
    return (await this.containersOf(pool)).map(({ Id }) => Id);
  }

  async traceOf(pid, label) {
    const listed = () => this.containersOf({ label });
    const left = async () => (await listed()).map(({ Id }) => Id);
    return {
      containers: await left(),
      parts: { 'the process': pid },
      left,
      // One that has no process has no lifeline either.
      running: async () => (await listed()).filter(({ State }) => State !== 'created'),
    };
  }

  kill(id) {
    return this.client.getContainer(id).kill();
  }

  async memory() {
    return (await this.client.info()).MemTotal;
  }

  hasImage(name) {
    const inspected = this.client.getImage(name).inspect();
    return inspected.then(
      () => true,
      ({ statusCode }) => statusCode !== 404,
    );
  }

  async forgetDerived(packages) {
    const labelled = { label: ['scientist-pool.packages'] };
    for (const { Id, Labels } of await this.client.listImages({ filters: labelled })) {
      if (Labels['scientist-pool.packages'].includes(packages))
        await this.client.getImage(Id).remove();
    }
  }

  async tagImage(name, other) {
    const at = other.lastIndexOf(':');
    await this.client.getImage(name).tag({ repo: other.slice(0, at), tag: other.slice(at + 1) });
  }

  async takeImage(archive, name) {
    const loading = await this.client.loadImage(archive);
    await new Promise((resolve, reject) => {
      this.client.modem.followProgress(loading, (error) => (error ? reject(error) : resolve()));
    });
    return { image: name, forget: () => this.removeImage(name) };
  }

  async removeImage(name) {
    if (await this.hasImage(name)) await this.client.getImage(name).remove({ force: true });
  }
}

module.exports = { DockerOutside };
