'use strict';

const { constants } = require('node:os');

/** What has to be ended before the process may, newest first. */
const pending = [];
let running = null;

/**
 * Registers `end` to be called when the run is over, also by SIGINT, SIGTERM or SIGHUP.
 * Returns a function that calls it earlier; it is called once in any case.
 */
function defer(end) {
  let result;
  const once = () => {
    const at = pending.indexOf(once);
    if (at >= 0) pending.splice(at, 1);
    result ??= Promise.resolve().then(end);
    return result;
  };
  pending.push(once);
  return once;
}

/** Ends everything registered, newest first; the first failure is thrown after all had their turn. */
function cleanUp() {
  running ??= (async () => {
    const failures = [];
    while (pending.length > 0)
      await pending
        .at(-1)()
        .catch((error) => failures.push(error));
    running = null;
    if (failures.length > 0) throw failures[0];
  })();
  return running;
}

/** Runs `main`, cleans up whatever happens, and sets the exit code. */
async function runMain(main) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      cleanUp().then(
        () => process.exit(128 + constants.signals[signal]),
        () => process.exit(128 + constants.signals[signal]),
      );
    });
  }
  let code = 0;
  try {
    code = (await main()) ?? 0;
  } catch (error) {
    process.stderr.write(`\n${error.hint ? error.message : error.stack}\n`);
    if (error.hint) process.stderr.write(`${error.hint}\n`);
    code = 1;
  }
  try {
    await cleanUp();
  } catch (error) {
    process.stderr.write(`\nclean-up failed: ${error.stack}\n`);
    code = code || 1;
  }
  process.exit(code);
}

/** An error the reader can act on: shown without a stack, with what to do. */
class SetupError extends Error {
  constructor(message, hint = '') {
    super(message);
    this.name = 'SetupError';
    this.hint = hint;
  }
}

module.exports = { SetupError, defer, runMain };
