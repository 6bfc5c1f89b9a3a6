'use strict';

const { address } = require('./engine');
const { DockerOutside } = require('./engines/docker');

/** A client of the engine under test, for what only Docker has. */
function docker() {
  return new DockerOutside(address()).client;
}

/** What Docker lists of a pool, on the engine under test. */
function containersOf(pool) {
  return new DockerOutside(address()).containersOf(pool);
}

module.exports = { containersOf, docker };
