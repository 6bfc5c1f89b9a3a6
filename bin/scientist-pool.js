#!/usr/bin/env node
'use strict';

const { main } = require('../cli/main');

/** What a shell reports of a program that wrote to a pipe whose reader has gone: 128 + SIGPIPE. */
const BROKEN_PIPE = 141;

// `… | head`. The containers end with this process.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(BROKEN_PIPE);
  });
}

main(process.argv.slice(2)).then((code) => {
  // Not `exit`: what was written goes out first.
  process.exitCode = code;
});
