'use strict';

// What a user downloads and a process maps. A build for debugging (`napi build` without --release) is not
// what is shipped, and fails here: `npm run build`.

const fs = require('node:fs');
const path = require('node:path');

const { ROOT } = require('../support/installed');

const MIB = 2 ** 20;

// Of them, more than a MiB is HTTP/2, and TLS as a server with certificates of its own, which secrets take; more than
// four are the engine on Kubernetes. On Linux x64 it is 11.0 MiB.
test("this machine's binary has at most 11.5 MiB", () => {
  const binaries = fs.readdirSync(ROOT).filter((name) => name.endsWith('.node'));
  expect(binaries).toHaveLength(1);
  const { size } = fs.statSync(path.join(ROOT, binaries[0]));
  expect(size).toBeLessThanOrEqual(11.5 * MIB);
});
