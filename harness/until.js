'use strict';

/** Milliseconds. */
const PATIENCE = Number(process.env.SCIENTIST_POOL_TEST_PATIENCE) || 20_000;

/** Resolves when the condition holds; what it gives is what it found. */
async function until(condition, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${patience} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

module.exports = { until };
