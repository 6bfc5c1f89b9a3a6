'use strict';

const { SetupError } = require('./cleanup');
const { findProgram, run } = require('./command');
const { say } = require('./console');

/** Whether packages can be installed here without asking anybody. */
function canInstall() {
  return process.platform === 'linux' && process.getuid() === 0 && Boolean(findProgram('apt-get'));
}

let updated = null;
let last = Promise.resolve();

async function install(packages) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  // Another apt may be at work (unattended-upgrades, say): wait for it instead of failing.
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  // One source that does not answer fails the update, and yet need not concern these packages.
  updated ??= run('apt-get', [...wait, 'update', '-q'], { env, check: false });
  await updated;
  await run('apt-get', [...wait, 'install', '-q', '-y', '--no-install-recommends', ...packages], {
    env,
  });
}

/**
 * Makes sure that `program` can be run, by installing Debian's packages where that is possible, and
 * resolves with its path.
 */
async function ensureProgram(program, packages) {
  const found = findProgram(program);
  if (found) return found;
  if (!canInstall()) {
    throw new SetupError(
      `\`${program}\` is not installed.`,
      `On Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}`,
    );
  }
  // One at a time: apt takes a lock over the whole system.
  const mine = last.then(async () => {
    if (findProgram(program)) return;
    say(`apt-get install ${packages.join(' ')}: \`${program}\` was missing`);
    await install(packages);
  });
  last = mine.catch(() => {});
  await mine;
  const installed = findProgram(program);
  if (!installed) throw new SetupError(`${packages.join(' ')} brought no \`${program}\`.`);
  return installed;
}

module.exports = { canInstall, ensureProgram };
