'use strict';

const { randomUUID } = require('node:crypto');

/** Of this process and of those it starts. */
process.env.ABUSE_RUN ??= randomUUID();
const RUN = process.env.ABUSE_RUN;

/** What is written where nobody but `whose` is to see it: another word in each run. */
const canaryOf = (whose) => `canary-of-${whose}-${RUN}`;

/** By which the probes know the canaries (`attempt.py`), though none is in what they are given. */
const RUN_ENV = { RUN: Buffer.from(RUN).toString('hex') };

module.exports = { RUN_ENV, canaryOf };
