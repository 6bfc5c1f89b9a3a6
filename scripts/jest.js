'use strict';

// Runs jest, on an engine that has the images of the tests. Only built-in modules until the dependencies are installed.

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('../harness/command');
const paths = require('../harness/paths');

const IMAGES = [
  ...['python:3.9-slim', 'python:3.11-slim', 'python:3.13-slim', 'busybox:stable'],
  // curl and git.
  'buildpack-deps:bookworm-scm',
];

/** The variable that every process of a run has, by which those that it leaves are found. */
const MARK = 'SCIENTIST_POOL_TEST_RUN';

/** The engine of the tests: the caller's choice, else one of our own with all the images. */
async function startEngine() {
  const { OwnEngine } = require('../harness/own-engine');
  const { ensureImages } = require('../harness/images');
  const chosen = process.env.SCIENTIST_POOL_TEST_ENGINE;
  const engine = chosen ? { host: chosen, env: { DOCKER_HOST: chosen } } : await OwnEngine.start();
  await ensureImages(engine, IMAGES);
  await require('../harness/archives').ensureArchives(engine, IMAGES);
  return { value: engine, note: engine.host };
}

/** Stops the engine of the tests, if it is of our own, and rejects with what they have left anywhere. */
async function stopEngine(engine, { mark, folder }) {
  const { pruneImages } = require('../harness/images');
  const { inEngine, refuse } = require('./leftovers');
  const engines = engine?.stop ? [engine] : [];
  await refuse({
    ...{ mark, folder, engines },
    look: async () => (engines.length > 0 ? inEngine(engine) : []),
    stop: async () => {
      if (engines.length === 0) return;
      await pruneImages(engine, IMAGES);
      await engine.stop();
    },
  });
  return { note: 'no container, process, mount, control group or temporary file' };
}

/** The words for jest that this program was called with. What they ask for may be in one of its runs alone. */
function given() {
  const words = process.argv.slice(2);
  return words.length > 0 ? ['--passWithNoTests', ...words] : [];
}

/**
 * Runs jest to its end; rejects if it failed. Either way there are counts: `passed`, `failed`, `skipped`.
 *
 * @param {string} report where its report goes, a file
 * @param {object} options `as`: the words of a command that runs it; `node`: by which Node.js
 */
async function jest(
  args,
  env,
  report,
  { as = [], cache = path.join(paths.root, 'target', 'jest'), node = process.execPath } = {},
) {
  const program = require.resolve('jest/bin/jest', { paths: [paths.root] });
  const [command, ...rest] = [
    ...[...as, node, program, '--ci', '--json', `--outputFile=${report}`],
    ...[`--cacheDirectory=${cache}`, ...args],
  ];
  const { code } = await run(command, rest, { cwd: paths.root, env, show: true, check: false });
  const result = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : {};
  const counts = {
    passed: result.numPassedTests ?? 0,
    failed: Math.max(result.numFailedTests ?? 0, result.numRuntimeErrorTestSuites ?? 0),
    skipped: (result.numPendingTests ?? 0) + (result.numTodoTests ?? 0),
  };
  if (code === 0) return counts;
  throw Object.assign(new Error(`jest ended with code ${code}`), { hint: '', ...counts });
}

module.exports = { MARK, given, jest, startEngine, stopEngine };
