'use strict';

const isTTY = Boolean(process.stdout.isTTY) && !process.env.CI;

/** One line for the reader. */
function say(line = '') {
  process.stdout.write(`${line}\n`);
}

/** `1234` → `1.2 s`, `123456` → `2 min 3 s`. */
function seconds(ms) {
  if (ms < 90_000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * Bars for things that go on side by side: drawn on a terminal; elsewhere a line for each quarter.
 * Nothing else may be printed between `new Bars()` and `stop()`.
 */
class Bars {
  #multi;

  constructor() {
    if (!isTTY) return;
    const { MultiBar, Presets } = require('cli-progress');
    this.#multi = new MultiBar(
      { format: '  {label} [{bar}] {percentage}% {note}', hideCursor: true },
      Presets.shades_classic,
    );
  }

  /** A bar from 0 to 1. `update` never goes back. */
  add(label) {
    const bar = this.#multi?.create(1, 0, { label: label.padEnd(24), note: '' });
    let shown = 0;
    let quarter = 0;
    return {
      update(fraction, note = '') {
        shown = Math.max(shown, Math.min(1, fraction));
        if (bar) return bar.update(shown, { note });
        const reached = Math.floor(shown * 4);
        if (reached > quarter) {
          quarter = reached;
          say(`  ${label}: ${quarter * 25}% ${note}`.trimEnd());
        }
      },
    };
  }

  stop() {
    this.#multi?.stop();
  }
}

module.exports = { Bars, isTTY, say, seconds };
