'use strict';

const { Random } = require('../harness/random');

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Conversations of users that begin in each hour of the day, on average: office hours with a lunch. */
const CONVERSATIONS = [
  0, 0, 0, 0, 0, 0, 0.5, 2, 5, 10, 12, 11, 4, 7, 12, 12, 10, 7, 3, 2, 1.5, 1, 0.5, 0,
];
/** Hours in which a job checks its goals, all at once. */
const CHECKS = [3, 6, 9, 12, 15, 18, 21];

/**
 * The calls of a day. They are generated, not recorded from a real backend, and the same for the same seed,
 * which is that of the published day if none is given:
 *
 * - Conversations begin at random (a Poisson process whose rate is that of the hour). An agent in one
 *   calls 1 to 4 tools side by side, 2 to 6 times, a minute apart on average.
 * - Each check calls 16 to 24 tools within two minutes.
 * - At 2:30 a job runs for half an hour: 10 calls every three minutes.
 *
 * @returns {number[]} seconds of the day, ascending
 */
function dayOf(seed = 20_251) {
  const random = new Random(seed);
  const pause = (mean) => -Math.log(1 - random.next()) * mean;
  const arrivals = [];
  const burst = (at, calls, within) => {
    for (let call = 0; call < calls; call += 1) arrivals.push(at + random.next() * within);
  };
  CONVERSATIONS.forEach((mean, hour) => {
    if (mean === 0) return;
    for (let at = pause(HOUR / mean); at < HOUR; at += pause(HOUR / mean)) {
      let round = hour * HOUR + at;
      for (let left = random.between(2, 6); left > 0; left -= 1) {
        burst(round, random.between(1, 4), 2);
        round += pause(MINUTE);
      }
    }
  });
  for (const hour of CHECKS) burst(hour * HOUR, random.between(16, 24), 2 * MINUTE);
  for (let batch = 0; batch < 10; batch += 1) {
    burst(2.5 * HOUR + batch * 3 * MINUTE, 10, 20);
  }
  return arrivals
    .map(Math.floor)
    .filter((at) => at < 24 * HOUR)
    .sort((a, b) => a - b);
}

module.exports = { dayOf };
