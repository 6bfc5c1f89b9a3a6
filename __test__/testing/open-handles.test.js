'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { ROOT, runNode } = require('../support/node');

test('loading the package opens no handle that jest would name', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-jest-'));
  try {
    fs.writeFileSync(
      path.join(folder, 'load.test.js'),
      // Kept by what outlives the file, so that no collection hides anything.
      `require('node:util').kept = require(${JSON.stringify(ROOT)}); test('is loaded', () => {});`,
    );
    const config = JSON.stringify({ rootDir: folder });
    const argv = ['node', 'jest', '--config', config, '--detectOpenHandles', '--no-cache'];
    const { stderr, code } = await runNode(
      `process.argv = ${JSON.stringify(argv)}; require('jest').run();`,
    );
    expect(stderr).toContain('1 passed, 1 total');
    expect(stderr).not.toContain('open handle');
    expect(code).toBe(0);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
