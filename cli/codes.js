'use strict';

/** What the shell gets for a command line that makes no sense. */
const USAGE = 2;
/** For a fault of the pool or its engine. `docker run` has the same for its own; a script's are 0 to 255. */
const FAULT = 125;

module.exports = { FAULT, USAGE };
