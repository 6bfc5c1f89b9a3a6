'use strict';

const { Container, ContainerPoolManager, PoolError, singleton } = require('./lib');

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
