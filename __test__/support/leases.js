'use strict';

/**
 * Keeps what a pool gives for as long as the pool is kept: a container that nobody refers to any more
 * goes back to its pool at the next garbage collection, which a test can't foresee.
 */
function holdLeases(pool) {
  const held = [];
  const { acquire } = pool;
  pool.acquire = (...args) => {
    const lease = acquire.apply(pool, args);
    lease.then(
      (container) => held.push(container),
      () => {},
    );
    return lease;
  };
  return pool;
}

module.exports = { holdLeases };
