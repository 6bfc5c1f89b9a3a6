'use strict';

const { AssertionError } = require('node:assert');
const { setTimeout: sleep } = require('node:timers/promises');

const { textOf } = require('./reply');

/** ms between two looks. */
const PACE = 10;

/** Whether the condition holds within so many ms. Counts its own steps: a test may have stopped the clock. */
async function holds(condition, within) {
  for (let left = within; !condition(); left -= PACE) {
    if (left <= 0) return false;
    await sleep(PACE);
  }
  return true;
}

/** One line on a container: its id, and what ran in it. */
function describe(id, calls) {
  const ran = calls.filter(({ container }) => container.id === id).map(textOf);
  const shown = ran.map((text) =>
    JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text),
  );
  return `  ${id.slice(0, 12)} ${shown.length > 0 ? `ran ${shown.join(', ')}` : 'ran nothing'}`;
}

function fail(message, ids, calls, stackStartFn) {
  const lines = ids.map((id) => describe(id, calls));
  throw new AssertionError({ message: [message, ...lines].join('\n'), stackStartFn });
}

module.exports = { fail, holds };
