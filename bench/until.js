'use strict';

const { setTimeout: pause } = require('node:timers/promises');

const POLL_MS = 5;
const TIMEOUT_MS = 120_000;

/** Resolves when the condition holds; rejects, naming what was waited for, where it does not in time. */
async function until(what, condition) {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`Waited ${TIMEOUT_MS / 1000} s in vain while ${what}`);
    }
    await pause(POLL_MS);
  }
}

module.exports = { until };
