'use strict';

const fs = require('node:fs');

/**
 * What this process holds, after a garbage collection where that can be asked for (`--expose-gc`): bytes
 * of memory in JavaScript's objects (`heap`) and beside JavaScript (`native`), descriptors and threads.
 * The heap's own size is in neither: V8 keeps what it once took. Elsewhere than on Linux descriptors and
 * threads are not known, and 0.
 */
function held() {
  global.gc?.();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  const count = (folder) => (fs.existsSync(folder) ? fs.readdirSync(folder).length : 0);
  return {
    heap: heapUsed,
    native: rss - heapTotal,
    descriptors: count('/proc/self/fd'),
    threads: count('/proc/self/task'),
  };
}

module.exports = { held };
