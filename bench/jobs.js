'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const python = (name) => fs.readFileSync(path.join(__dirname, 'jobs', name), 'utf8');

/** Modules of the standard library that take long to import, so that every image has them. */
const HEAVY_MODULES = ['asyncio', 'decimal', 'http.server', 'sqlite3', 'ssl', 'unittest.mock'];

const TEXT = `The container was warm before the call came, the interpreter was running, and the
  stream was open. What was left to do was to hand the script over and to wait for its end. `;

/**
 * What is run. A job has `runIn(container)`, which throws where the result is not the right one: a wrong answer
 * has no speed. Those that are scripts also have what `execute` takes, `script` and `env`, and `check(result)`.
 */
const hello = job('print("hello")', {}, ({ stdout }) => assert.equal(stdout, 'hello'));

const toolCall = job(
  python('tool_call.py'),
  {
    TOOL_ENV: JSON.stringify({ texts_read: 1, model: 'small' }),
    TOOL_ARGS: JSON.stringify({ text: TEXT.repeat(20), shortest: 3, top: 2 }),
    TOOL_CODE: python('word_count.py'),
  },
  ({ stdout }) => {
    const { success, result, env } = JSON.parse(stdout);
    assert.ok(success);
    assert.equal(env.texts_read, 2);
    assert.deepEqual(result.top, [
      ['the', 100],
      ['was', 100],
    ]);
  },
);

const heavyImport = job(`import ${HEAVY_MODULES.join(', ')}\nprint("hello")`, {}, ({ stdout }) =>
  assert.equal(stdout, 'hello'),
);

/** A command, which needs no Python in the image. */
const echo = {
  async runIn(container) {
    const { stdout, exitCode } = await container.executeCommand(['echo', 'hello']);
    assert.equal(exitCode, 0);
    assert.equal(stdout, 'hello\n');
  },
};

function job(script, env, checkOutput) {
  const check = (result) => {
    assert.equal(result.exitCode, 0, result.stderr);
    assert.equal(result.stderr, '');
    checkOutput(result);
  };
  return {
    script,
    env,
    check,
    runIn: async (container) => check(await container.execute(script, env)),
  };
}

module.exports = { HEAVY_MODULES, echo, hello, toolCall, heavyImport };
