'use strict';

const { runMain } = require('../harness/cleanup');
const { installDependencies } = require('../harness/dependencies');

runMain(async () => {
  // Before anything is loaded that comes from node_modules.
  await installDependencies();
  const { USAGE, readOptions } = require('./options');
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  return require('./bench').bench(options);
});
