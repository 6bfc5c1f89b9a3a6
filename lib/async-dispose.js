'use strict';

// Node has it since 20.5; before, and in a realm without it, the registered symbol stands in, as
// Node's own types and jest have it.
const ASYNC_DISPOSE = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');

module.exports = { ASYNC_DISPOSE };
