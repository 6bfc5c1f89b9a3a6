'use strict';

/** The most memory this process has while the work runs, above what it had before. */
async function growth(work) {
  global.gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const watch = setInterval(look, 10);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  look();
  return most - before;
}

module.exports = { growth };
