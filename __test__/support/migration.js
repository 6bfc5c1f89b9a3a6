'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Project, ROOT } = require('./installed');

const OLD = "require('./container-pool.service')";
const NEW = "require('scientist-pool')";
const BACKEND = path.join(ROOT, 'examples/migration');

/** The backend of examples/migration in a folder of its own. */
class Backend {
  #project;
  #folder;

  constructor(folder) {
    this.#folder = folder;
    this.#project = new Project(folder);
  }

  /** Its lines that differ from the example's: `{ before, after }`. */
  changes() {
    const before = [];
    const after = [];
    for (const name of fs.readdirSync(this.#folder).filter((file) => file.endsWith('.js'))) {
      const was = fs.readFileSync(path.join(BACKEND, name), 'utf8').split('\n');
      const is = fs.readFileSync(path.join(this.#folder, name), 'utf8').split('\n');
      for (const [at, line] of was.entries()) {
        if (line === is[at]) continue;
        before.push(line);
        after.push(is[at]);
      }
    }
    return { before, after };
  }

  /** Runs its own tests; on an engine, if `env` names one. */
  async test(env = {}) {
    const file = path.join(this.#folder, 'jest.config.json');
    const config = {
      testEnvironment: 'node',
      testTimeout: 30_000,
      transform: {},
      modulePaths: [path.join(ROOT, 'node_modules')],
      moduleNameMapper: { '^scientist-pool$': ROOT, '^scientist-pool/(\\w+)$': `${ROOT}/$1` },
    };
    fs.writeFileSync(file, JSON.stringify(config));
    const cache = `--cacheDirectory=${path.join(this.#folder, '.jest')}`;
    const { stdout } = await this.#project.tool('jest', ['--ci', '--json', cache], env);
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(stdout);
    return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites };
  }
}

/** Copies the backend, does something with the copy, and removes it. */
async function inCopy(change, use) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'backend-')));
  try {
    for (const name of fs.readdirSync(BACKEND)) {
      const text = change(name, fs.readFileSync(path.join(BACKEND, name), 'utf8'));
      if (text !== null) fs.writeFileSync(path.join(folder, name), text);
    }
    return await use(new Backend(folder));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** As it is, on the dockerode pool. */
function original(use) {
  const pool = JSON.stringify(path.join(ROOT, 'harness/dockerode-pool'));
  return inCopy((_, text) => text.replace("'../../harness/dockerode-pool'", pool), use);
}

/** After its migration: without the old service, and with the new line. */
function migrated(use) {
  return inCopy(
    (name, text) => (name === 'container-pool.service.js' ? null : text.replace(OLD, NEW)),
    use,
  );
}

module.exports = { migrated, original };
