'use strict';

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** How long ago that was (ms since the epoch), in the largest unit that is not 0. */
function age(time) {
  const seconds = Math.max(0, Math.round((Date.now() - time) / 1000));
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return `${Math.floor(seconds / length)} ${unit}`;
}

module.exports = { age };
