'use strict';

const { runNode } = require('../support/node');

// Signals as such do not exist there: process.kill ends the process at once.
const describeOnPosix = process.platform === 'win32' ? describe.skip : describe;

/** A program with a pool that handles signals, which says when it is up and how its pool ends. */
const program = (more = '') => `
  const Pool = require('scientist-pool');
  const pool = new Pool({ handleSignals: true });
  const alive = setInterval(() => {}, 1000);
  double.closing = async () => {
    console.log('closing');
    await new Promise(setImmediate);
    console.log('closed');
    return null;
  };
  ${more}
  console.log('up');`;

/** Sends `signal` when the program is up. */
const signalling = (signal) => {
  let sent = false;
  return (stdout, child) => {
    if (sent || !stdout.includes('up')) return;
    sent = true;
    child.kill(signal);
  };
};

describeOnPosix('handleSignals', () => {
  test.each(['SIGTERM', 'SIGINT'])(
    '%s shuts down first, and then ends the process',
    async (name) => {
      const end = await runNode(program(), { double: true, onStdout: signalling(name) });
      expect(end).toMatchObject({ stdout: 'up\nclosing\nclosed\n', stderr: '', signal: name });
    },
  );

  test('a second signal ends the process at once', async () => {
    const hanging = `double.closing = () => { console.log('closing'); return new Promise(() => {}); };`;
    let sent = 0;
    const end = await runNode(program(hanging), {
      double: true,
      onStdout: (stdout, child) => {
        const due = stdout.includes('closing') ? 2 : 1;
        while (stdout.includes('up') && sent < due) {
          sent += 1;
          child.kill('SIGTERM');
        }
      },
    });
    expect(end).toMatchObject({ stdout: 'up\nclosing\n', signal: 'SIGTERM' });
  });

  test('where the program listens itself, how it ends is its own business', async () => {
    const own = `process.on('SIGTERM', () => {
      pool.shutdown().then(() => { clearInterval(alive); console.log('own way'); });
    });`;
    const end = await runNode(program(own), { double: true, onStdout: signalling('SIGTERM') });
    expect(end).toMatchObject({ stdout: 'up\nclosing\nclosed\nown way\n', code: 0, signal: null });
  });

  test('a shutdown that fails does not keep the process alive', async () => {
    const failing = `double.closing = async () => JSON.stringify({ code: 'ENGINE_ERROR', message: 'no' });`;
    const end = await runNode(program(failing), { double: true, onStdout: signalling('SIGTERM') });
    expect(end).toMatchObject({ stderr: '', signal: 'SIGTERM' });
  });
});

describe('without handleSignals', () => {
  test('signals do what they always do', async () => {
    const source = program().replace('handleSignals: true', '');
    const end = await runNode(source, { double: true, onStdout: signalling('SIGTERM') });
    expect(end.stdout).toBe('up\n');
  });
});
