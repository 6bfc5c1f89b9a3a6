'use strict';

// Not the globals: a test that fakes those must not fake these.
const { clearTimeout, setTimeout } = require('node:timers');

const { callerFrames } = require('../errors');
const { withoutCaller } = require('../no-caller');

/**
 * Reports containers that are held for longer than a limit, each once. One timer serves them all, and
 * keeps no process alive.
 */
class LeakDetector {
  #limit;
  #report;
  /** Container id → since when it is held, and the acquire's call site; the longest held first. */
  #held = new Map();
  #timer = null;

  /**
   * @param {number} limit ms; 0: nothing is ever reported
   * @param {(leak: { id: string, heldMs: number, stack: string }) => void} report
   */
  constructor(limit, report) {
    this.#limit = limit;
    this.#report = report;
  }

  /** A container was acquired at that call site. */
  hold(id, site) {
    if (this.#limit === 0) return;
    this.#held.set(id, { since: performance.now(), site });
    this.#wake();
  }

  /** A container is gone. */
  release(id) {
    this.#held.delete(id);
    if (this.#held.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
  }

  #wake() {
    if (this.#timer !== null) return;
    const [oldest] = this.#held.values();
    if (oldest === undefined) return;
    const due = oldest.since + this.#limit - performance.now();
    this.#timer = setTimeout(() => withoutCaller(() => this.#look()), Math.max(0, Math.ceil(due)));
    this.#timer.unref();
  }

  #look() {
    this.#timer = null;
    const now = performance.now();
    for (const [id, { since, site }] of this.#held) {
      if (now - since < this.#limit) break;
      this.#held.delete(id);
      this.#report({ id, heldMs: now - since, stack: callerFrames(site).join('\n') });
    }
    this.#wake();
  }
}

module.exports = { LeakDetector };
