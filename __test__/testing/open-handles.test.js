'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { ROOT, runNode } = require('../support/node');

/** What jest says at its end of a project with this one file. */
async function detect(source) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-jest-'));
  try {
    fs.writeFileSync(path.join(folder, 'some.test.js'), source);
    // With `--no-cache` it makes its folder all the same.
    const config = JSON.stringify({ rootDir: folder, cacheDirectory: path.join(folder, 'cache') });
    const argv = ['node', 'jest', '--config', config, '--detectOpenHandles', '--no-cache'];
    return await runNode(`process.argv = ${JSON.stringify(argv)}; require('jest').run();`);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const index = JSON.stringify(ROOT);
const testing = JSON.stringify(path.join(ROOT, 'testing'));

test('loading the package opens no handle that jest would name', async () => {
  const { stderr, code } = await detect(
    // Kept by what outlives the file, so that no collection hides anything.
    `require('node:util').kept = require(${index}); test('is loaded', () => {});`,
  );
  expect(stderr).toContain('1 passed, 1 total');
  expect(stderr).not.toContain('open handle');
  expect(code).toBe(0);
});

test('a pool that was shut down leaves none', async () => {
  const { stderr, code } = await detect(`
    const { FakeEngine } = require(${testing});
    const Pool = require('node:util').kept = require(${index});
    let engine;
    beforeAll(async () => {
      engine = await FakeEngine.start();
      engine.reply('print', { stdout: 'it works' });
    });
    afterAll(() => engine.close());
    test('is used', async () => {
      // Before anything is waited for: jest looks at what a test's own stack has opened.
      const pool = Pool.kept = new Pool({ engine: engine.address });
      const pieces = [];
      await pool.run('print()', { onStdout: (piece) => pieces.push(piece) });
      expect(pieces.join('')).toBe('it works');
      await pool.shutdown();
    });`);
  expect(stderr).toContain('1 passed, 1 total');
  expect(stderr).not.toContain('open handle');
  expect(code).toBe(0);
});

test('what the package waits with keeps the process alive while a call is under way', async () => {
  const { stdout, stderr } = await runNode(`
    const resources = [];
    require('node:async_hooks').createHook({
      init: (id, type, trigger, resource) => type === 'scientist-pool' && resources.push(resource),
    }).enable();
    const { FakeEngine } = require(${testing});
    const Pool = require(${index});
    const look = () => console.log(resources.some((resource) => resource.hasRef()));
    FakeEngine.start().then(async (engine) => {
      const pool = new Pool({ engine: engine.address });
      look();
      const call = pool.run('print()');
      look();
      await call;
      await pool.shutdown();
      look();
      await engine.close();
    });`);
  expect(stderr).toBe('');
  expect(stdout).toBe('false\ntrue\nfalse\n');
});
