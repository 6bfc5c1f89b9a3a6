'use strict';

// The suites that the pages show, run as they stand there: on the fake engine, or on a mock.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { stripVTControlCharacters } = require('node:util');

const { ROOT, runNode } = require('../support/node');
const { pages } = require('../support/pages');

const suites = pages.flatMap((page) => page.examples).filter(({ isTest }) => isTest);

describe.each(suites)('$title', ({ source }) => {
  // Each finds the package as its own file would: not as another has mocked it.
  jest.resetModules();
  jest.dontMock('scientist-pool');
  new Function('require', 'jest', source)(require, jest);
});

describe('each in two files of vitest', () => {
  const onFakeEngine = suites.filter(({ source }) => source.includes('FakeEngine'));
  let folder;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-vitest-'));
    const requires = `import { createRequire } from 'node:module';
      const require = createRequire(${JSON.stringify(path.join(ROOT, 'index.js'))});`;
    for (const [at, { source }] of [...onFakeEngine, ...onFakeEngine].entries()) {
      fs.writeFileSync(path.join(folder, `${at}.test.mjs`), `${requires}\n${source}`);
    }
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  test.each(['isolate', 'no-isolate'])('with --%s', async (isolation) => {
    const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
    const options = [
      'run',
      '--globals',
      '--no-file-parallelism',
      `--${isolation}`,
      '--root',
      folder,
    ];
    const argv = ['node', vitest, ...options];
    const { stdout, stderr } = await runNode(
      `process.argv = ${JSON.stringify(argv)}; import(${JSON.stringify(vitest)});`,
    );
    expect(stderr).toBe('');
    expect(stripVTControlCharacters(stdout)).toMatch(/Test Files\s+4 passed \(4\)/);
  });
});
