'use strict';

// A fake engine in a process of its own, so that nothing it does counts as the package's. Tells its
// address, and ends with its stdin.

const { FakeEngine } = require('../../testing');

FakeEngine.start().then((engine) => {
  process.stdout.write(`${JSON.stringify(engine.address)}\n`);
  process.stdin.resume().on('end', () => engine.close());
});
