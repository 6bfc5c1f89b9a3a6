#!/usr/bin/env node
'use strict';

const { BROKEN_PIPE, NOT_WRITTEN } = require('../cli/codes');
const { main } = require('../cli/main');

// The containers end with this process.
for (const [name, stream] of Object.entries({ stdout: process.stdout, stderr: process.stderr })) {
  stream.on('error', (error) => {
    // `… | head`
    if (error.code === 'EPIPE') process.exit(BROKEN_PIPE);
    if (name === 'stdout') {
      process.stderr.write(`scientist-pool: stdout can't be written: ${error.message}\n`);
    }
    process.exit(NOT_WRITTEN);
  });
}

main(process.argv.slice(2)).then((code) => {
  // Not `exit`: what was written goes out first.
  process.exitCode = code;
});
