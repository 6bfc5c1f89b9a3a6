'use strict';

/** What a job is known by: the source of a script, or the words of a command. */
function textOf({ script, argv }) {
  return script ?? argv.join(' ');
}

function matcher(match) {
  if (typeof match === 'function') return match;
  if (typeof match === 'string') return (job) => textOf(job).includes(match);
  // By what it can do: one of another realm is no instance of this one's.
  if (typeof match?.test === 'function') {
    return (job) => {
      match.lastIndex = 0;
      return match.test(textOf(job));
    };
  }
  throw new TypeError(
    `a job is known by a string, a regular expression or a function; got ${match}`,
  );
}

/** What the next `times` jobs that match come to. */
class Reply {
  #matches;
  #outcome;
  #left;

  constructor(match, outcome, times) {
    this.#matches = matcher(match);
    this.#outcome = outcome;
    this.#left = times;
  }

  takes(job) {
    return this.#left > 0 && this.#matches(job);
  }

  /** The outcome for a job, or a promise of it. */
  to(job) {
    this.#left -= 1;
    return typeof this.#outcome === 'function' ? this.#outcome(job) : this.#outcome;
  }
}

module.exports = { Reply, textOf };
