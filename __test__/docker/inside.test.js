'use strict';

// The local engine in a container of Docker's: with the flags of docs/local.md, and with less than those. The
// programs are this machine's own, which the container sees.

const { PassThrough } = require('node:stream');
const { text } = require('node:stream/consumers');

const { docker } = require('../support/docker');
const { NO_PYTHON } = require('../support/engine');
const { ROOT } = require('../support/node');

const PROGRAM = `
const { ContainerPoolManager } = require('/package');
const pool = new ContainerPoolManager({ engine: 'local', image: 'host', poolSize: 0 });
pool
  .run('import os; print(6 * 7, os.getuid())')
  .then(({ stdout }) => console.log(stdout), ({ code, message }) => console.log(code, message))
  .then(() => pool.shutdown());
`;

const BINDS = [
  ...['/usr:/usr:ro', '/usr/lib:/lib:ro', '/usr/lib64:/lib64:ro'],
  ...[`${process.execPath}:/node:ro`, `${ROOT}:/package:ro`],
];
const UNFILTERED = { SecurityOpt: ['seccomp=unconfined'] };
/** What the docker CLI makes of `systempaths=unconfined`. */
const UNMASKED = { MaskedPaths: [], ReadonlyPaths: [] };

/** What the program says in a container with these settings. */
async function inside(user, settings) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = text(stdout);
  await docker().run(NO_PYTHON, ['/node', '-e', PROGRAM], [stdout, stderr], {
    ...{ User: user, Tty: false },
    HostConfig: { AutoRemove: true, NetworkMode: 'none', Binds: BINDS, ...settings },
  });
  stdout.end();
  return (await said).trim();
}

const users = [
  ['root', '0:0'],
  ['an ordinary user', '1000:1000'],
];

(process.platform === 'linux' ? describe : describe.skip).each(users)('as %s', (_, user) => {
  it('works with the two flags', async () => {
    expect(await inside(user, { ...UNFILTERED, ...UNMASKED })).toBe('42 65534');
  });

  it('is not available behind a system call filter, and says which flag it takes', async () => {
    expect(await inside(user, UNMASKED)).toMatch(/^ENGINE_UNAVAILABLE .*seccomp=unconfined/);
  });

  it('is not available where parts of /proc are hidden, and says which flag it takes', async () => {
    expect(await inside(user, UNFILTERED)).toMatch(/^ENGINE_UNAVAILABLE .*systempaths=unconfined/);
  });
});

test('root that may do more than most, and not all, works as an ordinary user', async () => {
  const settings = { ...UNFILTERED, ...UNMASKED, CapAdd: ['SYS_ADMIN'] };
  expect(await inside('0:0', settings)).toBe('42 65534');
});
