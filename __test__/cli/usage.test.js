'use strict';

const { version } = require('../../package.json');
const { cli } = require('../support/cli');

test.each([[[]], [['--help']], [['help']], [['run', '--help']]])(
  '%j explains it all',
  async (args) => {
    const { stdout, stderr, code } = await cli(args);
    for (const word of ['doctor', 'run FILE -- ARGS', 'prune', '--env NAME=VALUE', '--json']) {
      expect(stdout).toContain(word);
    }
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  },
);

test('--version is that of the package', async () => {
  expect(await cli(['--version'])).toEqual({ stdout: `${version}\n`, stderr: '', code: 0 });
});

test.each([
  [['frobnicate'], 'there is no command frobnicate'],
  [['doctor', 'who'], 'doctor takes no who'],
  [['prune', 'all'], 'prune takes no all'],
  [['top', '1', '2'], 'top takes no 2'],
  [['top', '--image', 'x'], "Unknown option '--image'"],
])('%j is wrong', async (args, said) => {
  const { stdout, stderr, code } = await cli(args);
  expect(stderr).toContain(said);
  expect({ stdout, code }).toEqual({ stdout: '', code: 2 });
});
