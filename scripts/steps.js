'use strict';

const { say, seconds } = require('../harness/console');

/**
 * The steps of a run: each starts when those it needs are done, and is skipped when one of them
 * failed; all others still run. Tests that steps count are added up.
 */
class Steps {
  #all = [];

  /**
   * `work()` may resolve with `{ note, passed, failed, skipped, value }`, all optional: a remark for
   * the reader, counted tests, what later steps use as `step.value`. If it rejects, the step failed;
   * an error may carry the counts too.
   */
  start(name, needs, work) {
    const step = { name, state: 'waiting', ms: 0, passed: 0, failed: 0, skipped: 0 };
    this.#all.push(step);
    step.done = this.#run(step, needs, work);
    return step;
  }

  async #run(step, needs, work) {
    await Promise.all(needs.map((need) => need.done));
    const missing = needs.find((need) => need.state !== 'passed');
    if (missing) {
      step.state = 'not run';
      step.note = `needs: ${missing.name}`;
      say(`- ${step.name}: not run, ${step.note}`);
      return;
    }
    const begin = performance.now();
    try {
      Object.assign(step, await work(), { state: 'passed' });
    } catch (error) {
      const { passed = 0, failed = 0, skipped = 0 } = error;
      Object.assign(step, { state: 'failed', passed, failed, skipped, note: 'failed' });
      // A stack helps only where we ourselves went wrong.
      const expected = error.hint !== undefined || error.name === 'CommandError';
      say(`\n${expected ? error.message : error.stack}`);
      if (error.hint) say(error.hint);
    }
    step.ms = performance.now() - begin;
    const sign = step.state === 'passed' ? '+' : 'x';
    say(`${sign} ${step.name}: ${seconds(step.ms)}${step.note ? `, ${step.note}` : ''}`);
  }

  /** Resolves when every step started so far is done. */
  async settle() {
    await Promise.all(this.#all.map((step) => step.done));
  }

  /** The names of the steps that failed or could not run. */
  get broken() {
    return this.#all.filter(({ state }) => state !== 'passed').map(({ name }) => name);
  }

  /** Tests counted in all steps; a broken step in which no test failed counts as one that did. */
  get totals() {
    const sum = { passed: 0, failed: 0, skipped: 0 };
    for (const step of this.#all) {
      sum.passed += step.passed;
      sum.failed += step.state === 'passed' ? step.failed : Math.max(1, step.failed);
      sum.skipped += step.skipped;
    }
    return sum;
  }

  /** Says what came of all of them; gives the exit code. */
  conclude() {
    const { passed, failed, skipped } = this.totals;
    if (this.broken.length > 0) say(`\nfailed: ${this.broken.join(', ')}`);
    say(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failed > 0 || this.broken.length > 0 ? 1 : 0;
  }
}

module.exports = { Steps };
