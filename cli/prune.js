'use strict';

const { engineOptions, withEngine } = require('./engine');

function fault([extra]) {
  return extra === undefined ? undefined : `prune takes no ${extra}`;
}

/** What every pool does when it first contacts its engine, and nothing else. */
async function perform({ values, pool: given, io }) {
  return withEngine({ ...given, pull: 'never' }, ({ engine, swept }) => {
    if (values.json) {
      io.stdout.write(`${JSON.stringify({ engine: engine.address, removed: swept })}\n`);
    } else {
      for (const id of swept) io.stdout.write(`${id}\n`);
      const what = swept.length === 1 ? '1 container' : `${swept.length} containers`;
      io.stderr.write(`removed ${what} of processes that are gone from ${engine.address}\n`);
    }
    return 0;
  });
}

module.exports = { fault, options: engineOptions, perform };
