'use strict';

/** What the package's own script that installs packages is given first: where they go. */
const PLACE = '/usr/lib/scientist-pool';
const BLAME = ['packages', 'index'];

/** The requirements that a job installs; `undefined`: it is one of a user's. */
function requirementsOf({ script, args }) {
  if (script === undefined || args?.[0] !== PLACE) return undefined;
  return JSON.parse(args[1]).requirements;
}

const lines = (records) => records.map((record) => `${JSON.stringify(record)}\n`).join('');

/**
 * What that script comes to where a test says what becomes of the installation. The head of `src/sandbox/install.py`
 * has its form.
 */
async function installed(requirements, installation) {
  const { failed, blame } = await read(installation, requirements);
  if (failed !== undefined) return { stderr: lines([{ failed: blame, why: failed }]), exitCode: 1 };
  return { stderr: lines(requirements.map((name) => ({ step: `Collecting ${name}` }))) };
}

async function read(installation, requirements) {
  try {
    const result = await installation(requirements);
    const { failed, blame = 'packages', ...rest } = result;
    if (Object.keys(rest).length > 0 || !BLAME.includes(blame)) {
      throw new TypeError(
        `an installation comes to { failed, blame: ${BLAME.join(' or ')} }; got ${JSON.stringify(result)}`,
      );
    }
    return { failed, blame };
  } catch (error) {
    // A test's own fault, told where the test will see it.
    return { failed: `the fake engine failed: ${error.message}`, blame: 'packages' };
  }
}

module.exports = { installed, requirementsOf };
