'use strict';

const { invalid, wrong } = require('../errors');

/** How many single-character edits lead from `a` to `b` (Levenshtein). */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/** The known name that `name` was most likely meant to be, or `undefined` if none is near. */
function nearest(name, known) {
  // Longer than any option's name: not a slip of the hand, and not worth the square of its length.
  if (name.length > 64) return undefined;
  const lower = name.toLowerCase();
  let best;
  let least = Math.max(2, Math.ceil(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = distance(lower, candidate.toLowerCase());
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

/** Whether a value is an object of named values, of whichever realm: no array, Map, Date or null. */
function isRecord(value) {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** Checks that `value` is an object of options with none but `known` names in it. */
function checkNames(value, path, known) {
  if (!isRecord(value)) throw wrong(path, 'an object', value);
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const prefix = path === 'options' ? '' : `${path}.`;
    const advice = near === undefined ? `known: ${known.join(', ')}` : `did you mean ${near}?`;
    throw invalid(`${prefix}${name} is no option; ${advice}`);
  }
}

module.exports = { checkNames, isRecord };
