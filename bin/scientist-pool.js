#!/usr/bin/env node
'use strict';

const { main } = require('../cli/main');

/** What a shell reports of a program that wrote to a pipe whose reader has gone: 128 + SIGPIPE. */
const BROKEN_PIPE = 141;
/** `EX_IOERR` of sysexits.h. */
const NOT_WRITTEN = 74;

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
