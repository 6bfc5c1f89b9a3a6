'use strict';

// Signal numbers as Linux has them on every architecture Node runs on: the container's, not those of
// this machine (`os.constants.signals` is another list on macOS and on Windows). signal(7).
const NAMES =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );

/** The C library keeps the first two real-time signals (32, 33) for itself. */
const SIGRTMIN = 34;

/** `9` → `'SIGKILL'`; `null` for none. */
function signalName(number) {
  if (number === null || number === undefined) return null;
  if (number >= 1 && number <= NAMES.length) return `SIG${NAMES[number - 1]}`;
  return number === SIGRTMIN
    ? 'SIGRTMIN'
    : `SIGRTMIN${number > SIGRTMIN ? '+' : ''}${number - SIGRTMIN}`;
}

/** `'SIGKILL'` → `9`; `undefined` for a name that is none, or of a real-time signal. */
function signalNumber(name) {
  const at = NAMES.indexOf(name.replace(/^SIG/, ''));
  return at < 0 ? undefined : at + 1;
}

module.exports = { signalName, signalNumber };
