'use strict';

// `npm run test:machines`: engines on cgroup v2 with systemd, in virtual machines that it makes of Debian's packages.
// Arguments choose machines (`bookworm`) and rows (`podman`): none chooses all. scripts/machines/rows.js has both.

const path = require('node:path');
const { stripVTControlCharacters } = require('node:util');

const { buildAddon } = require('../harness/addon');
const { SetupError, runMain } = require('../harness/cleanup');
const { run } = require('../harness/command');
const { say, seconds } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');
const paths = require('../harness/paths');
const { PACKAGES, ROWS } = require('./machines/rows');

const SUITES = ['bookworm', 'trixie', 'sid'];
const IMAGES = ['python:3.9-slim', 'busybox:stable'];
/** A machine's processors are some ten times slower: tests that wait for what comes in time wait longer. */
const TEST_TIMEOUT = 600_000;
const PATIENCE = 240_000;

/** The machines, each with the rows that run in it. */
function chosen(words) {
  const suites = words.filter((word) => SUITES.includes(word));
  const names = words.filter((word) => !SUITES.includes(word));
  const rows = ROWS.filter(({ name }) => names.length === 0 || names.some((n) => name.includes(n)));
  if (rows.length === 0) {
    const known = ROWS.map(({ name }) => `  ${name}`).join('\n');
    throw new SetupError(`No row is called ${names.join(' or ')}.`, `There are:\n${known}`);
  }
  const machines = (suites.length > 0 ? suites : SUITES).map((suite) => ({
    suite,
    rows: rows.filter(({ on }) => on.includes(suite)),
  }));
  return machines.filter((machine) => machine.rows.length > 0);
}

/** The archives of the tests' images: from the cache, or from an engine that has or makes them. */
async function archives() {
  const fs = require('node:fs');
  const { archiveOf, ensureArchives } = require('../harness/archives');
  const files = IMAGES.map(archiveOf);
  if (!files.every((file) => fs.existsSync(file))) {
    const { OwnEngine } = require('../harness/own-engine');
    const { ensureImages } = require('../harness/images');
    const engine = await OwnEngine.start();
    await ensureImages(engine, IMAGES);
    await ensureArchives(engine, IMAGES);
    await engine.stop();
  }
  return files;
}

/** The launcher whose fences can be taken away, for the probes of the local engine. */
async function launcherWithoutFences() {
  const args = ['build', '--locked', '--package', 'scientist-pool-launcher'];
  await run('cargo', [...args, '--features', 'fences-down'], { cwd: paths.root, low: true });
  return path.join(paths.root, 'target', 'debug', 'scientist-pool-launcher');
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Runs the tests of a row; gives their counts, and the names of those that failed. */
async function test(machine, { host, as = '', home = '/root', env = {}, tests }) {
  const report = `${home}/report.json`;
  const owner = home === '/root' ? 'root' : 'user';
  await machine.run(`set -e
rm -f ${report}
mkdir -p ${home}/.cache/scientist-pool ${home}/jest
[ -e ${home}/.cache/scientist-pool/archives ] || cp -r /shared/archives ${home}/.cache/scientist-pool/archives
chown -R ${owner} ${home}/.cache ${home}/jest`);
  const variables = {
    SCIENTIST_POOL_TEST_ENGINE: host ?? 'local',
    DOCKER_HOST: host ?? '',
    SCIENTIST_POOL_TEST_LAUNCHER: '/shared/launcher-fences-down',
    SCIENTIST_POOL_TEST_PATIENCE: String(PATIENCE),
    ...env,
  };
  const command = [
    ...[as, '/shared/node', '/checkout/node_modules/jest/bin/jest.js', '--ci', '--runInBand'],
    ...['--json', `--outputFile=${report}`, `--cacheDirectory=${home}/jest`],
    ...[`--testTimeout=${TEST_TIMEOUT}`, '--testPathPatterns', ...tests.map(quoted)],
  ];
  const { output } = await machine.run(`cd /checkout; ${command.join(' ')}`, {
    env: variables,
    check: false,
    onLine: (line) => /^(PASS|FAIL) /.test(line) && say(`    ${line}`),
  });
  const { code, output: json } = await machine.run(`cat ${report}`, { check: false });
  // jest writes none if it can't run.
  if (code !== 0) return { passed: 0, failed: 1, failures: [output.slice(-3000)] };
  const result = JSON.parse(json);
  const failures = result.testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    const said = failed.map(
      ({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]}`,
    );
    const ran = assertionResults.length > 0;
    return ran ? said : [`${path.basename(name)}: ${message}`];
  });
  return { passed: result.numPassedTests, failed: failures.length, failures };
}

/** What a row may leave behind in a machine: groups of launchers, and containers. */
const LEFT = `find /sys/fs/cgroup -type d -name 'scientist-pool-launcher-*'
ps -eo args | grep '[s]cientist-pool-launcher' || true`;

/** One row in a machine that is up. */
async function runRow(machine, row) {
  const begin = performance.now();
  const { host, start, stop, env = {} } = row;
  let made = 'local engine';
  try {
    if (start) await machine.run(`set -e\n${start}`);
    if (host) {
      const files = '/shared/archives/*.tar';
      const load = `/shared/node /checkout/scripts/machines/load.js ${host} ${files}`;
      made = (await machine.run(load, { env })).output.trim();
    }
    const counts = await test(machine, row);
    const left = (await machine.run(LEFT)).output.trim();
    if (left) {
      counts.failures.push(`left behind:\n${left}`);
      counts.failed += 1;
    }
    if (stop) await machine.run(stop);
    return { ...counts, made, ms: performance.now() - begin };
  } catch (error) {
    if (error.hint === undefined) throw error;
    return { passed: 0, failed: 1, failures: [error.message], made, ms: performance.now() - begin };
  }
}

async function main() {
  const machines = chosen(process.argv.slice(2));
  await installDependencies();
  await buildAddon({ show: true });
  const { Machine, ensureDisk, makeShare } = require('../harness/machine');
  const { archiveOf } = require('../harness/archives');
  await archives();
  const files = { 'launcher-fences-down': await launcherWithoutFences() };
  for (const image of IMAGES)
    files[`archives/${path.basename(archiveOf(image))}`] = archiveOf(image);
  const share = await makeShare(files);
  const table = [];
  for (const { suite, rows } of machines) {
    const disk = await ensureDisk(suite, PACKAGES);
    const machine = await Machine.start({ disk, share });
    const { output } = await machine.run('uname -r; systemctl --version | head -1');
    say(`\n${suite}: Linux ${output.trim().replace('\n', ', ')}, up`);
    for (const row of rows) {
      const result = await runRow(machine, row);
      table.push({ suite, ...row, ...result });
      const { passed, failed, made, ms } = result;
      say(`  ${row.name}: ${passed} passed, ${failed} failed, ${seconds(ms)}; ${made}`);
      for (const failure of result.failures) {
        say(stripVTControlCharacters(failure).replace(/^/gm, '      '));
      }
    }
    await machine.stop();
  }
  const Table = require('cli-table3');
  const shown = new Table({ head: ['machine', 'row', 'passed', 'failed'] });
  for (const { suite, name, passed, failed } of table) shown.push([suite, name, passed, failed]);
  say(`\n${shown}`);
  const sum = (key) => table.reduce((total, row) => total + row[key], 0);
  say(`${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') > 0 ? 1 : 0;
}

runMain(main);
