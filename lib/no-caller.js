'use strict';

const { AsyncResource } = require('node:async_hooks');

/** A context to do something in. It keeps no process alive, and tells jest's `--detectOpenHandles` so. */
class Scope extends AsyncResource {
  constructor() {
    super('SCIENTIST_POOL');
  }

  hasRef() {
    return false;
  }
}

/**
 * The asynchronous context of nobody. It is that of whoever loads this module, and some load it within
 * their first request: where a resource itself holds the stores (Node 20 and 22), they are taken out.
 */
const nobody = new Scope();
for (const key of Object.getOwnPropertySymbols(nobody)) {
  if (key.description === 'kResourceStore') delete nobody[key];
}

/**
 * Does what no call has caused. By itself it would have the context of the call that happened to make
 * the pool, or its timer, and would keep all that this context holds for as long as the pool lives.
 */
function withoutCaller(work) {
  // In a resource of its own: what a listener enters must not stay for the next.
  return nobody.runInAsyncScope(() => new Scope().runInAsyncScope(work));
}

module.exports = { withoutCaller };
