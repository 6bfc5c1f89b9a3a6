'use strict';

// What the shell gets.

/** For a command line that makes no sense. */
const USAGE = 2;
/** For output that could not be written: `EX_IOERR` of sysexits.h. */
const NOT_WRITTEN = 74;
/** For a fault of the pool or its engine. `docker run` has the same for its own; a script's are 0 to 255. */
const FAULT = 125;
/** Of a program that wrote to a pipe whose reader has gone: 128 + SIGPIPE. */
const BROKEN_PIPE = 141;

module.exports = { BROKEN_PIPE, FAULT, NOT_WRITTEN, USAGE };
