'use strict';

// node bench/needed.js
// Calculates how many warm containers it takes on the day of `arrivals.js` so that no call waits for longer
// than a few milliseconds, by how long a container takes to make. Needs no engine.

const { dayOf } = require('./arrivals');

/** The longest that a call may wait, seconds. */
const LONGEST = 0.005;
/** As many are made at once as there are processors. */
const AT_ONCE = 2;
/** Seconds: from a template on a machine at rest, on a busy one, booted, and by Docker. */
const TO_MAKE = [0.006, 0.015, 0.03, 0.389];
/** The day in real time, and within twelve minutes. */
const FACTORS = [1, 120];

/** The calls that wait for too long on a pool of that size, each of whose containers is replaced at once. */
function late(arrivals, size, toMake) {
  const ready = new Array(size).fill(0);
  const makers = new Array(AT_ONCE).fill(0);
  let count = 0;
  for (const arrival of arrivals) {
    const free = makers.indexOf(Math.min(...makers));
    makers[free] = Math.max(arrival, makers[free]) + toMake;
    ready.push(makers[free]);
    // They are ready in the order in which they are begun.
    if (ready.shift() - arrival > LONGEST) count += 1;
  }
  return count;
}

/** The smallest pool on which none does. */
function needed(arrivals, toMake) {
  let size = 0;
  while (late(arrivals, size, toMake) > 0) size += 1;
  return size;
}

function main() {
  const day = dayOf();
  for (const factor of FACTORS) {
    const arrivals = day.map((second) => second / factor);
    for (const toMake of TO_MAKE) {
      const two = ((100 * late(arrivals, 2, toMake)) / day.length).toFixed(1);
      const size = needed(arrivals, toMake);
      const made = `made in ${Math.round(toMake * 1000)} ms`;
      console.log(`day / ${factor}, ${made}: ${size} warm ones; with 2, ${two} % wait`);
    }
  }
}

main();
