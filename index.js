'use strict';

const { Container } = require('./lib/container/container');
const { PoolError } = require('./lib/errors');
const { ContainerPoolManager } = require('./lib/pool/manager');
const singleton = require('./lib/pool/singleton');

module.exports = ContainerPoolManager;

// One assignment each: it is from these that Node knows the names for `import { acquire }`.
module.exports.ContainerPoolManager = ContainerPoolManager;
module.exports.getInstance = ContainerPoolManager.getInstance;
module.exports.Container = Container;
module.exports.PoolError = PoolError;
module.exports.initialize = singleton.initialize;
module.exports.acquire = singleton.acquire;
module.exports.execute = singleton.execute;
module.exports.destroy = singleton.destroy;
module.exports.shutdown = singleton.shutdown;
module.exports.run = singleton.run;
module.exports.spawn = singleton.spawn;
