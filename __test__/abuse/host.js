'use strict';

const { canaryOf } = require('./canary');
const { containers } = require('./containers');
const { Surroundings } = require('./surroundings');

/** The containers of Docker's, with what is around them: a container next door, too. */
class Host {
  #surroundings;
  #neighbour;

  constructor(fields) {
    this.#surroundings = fields.surroundings;
    this.#neighbour = fields.neighbour;
    /** Where the services are, for the probes. */
    this.env = fields.surroundings.env;
    this.containers = fields.containers;
  }

  static async start({ docker, engine, image, labels = {} }) {
    const surroundings = await Surroundings.start();
    const neighbour = await docker.createContainer({
      Image: image,
      Labels: labels,
      Cmd: ['sleep', '600'],
      Env: [`SECRET=${canaryOf('neighbour')}`],
      HostConfig: { NetworkMode: 'none' },
    });
    await neighbour.start();
    const environment = { ABUSE_CANARY: process.env.ABUSE_CANARY };
    const { folder } = surroundings;
    return new Host({
      surroundings,
      neighbour,
      containers: containers({ docker, engine, image, labels, folder, environment }),
    });
  }

  async close() {
    await Promise.all(Object.values(this.containers).map((container) => container.close()));
    await this.#neighbour.remove({ force: true });
    await this.#surroundings.close();
  }
}

module.exports = { Host };
