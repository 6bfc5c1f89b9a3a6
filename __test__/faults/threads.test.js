'use strict';

// Where the system gives few threads or none. It holds root to no such limit, so users that nobody else
// has are held to it.

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const readline = require('node:readline');

const { ROOT } = require('../support/node');

const UID = 54_321;
/** More threads than a Node.js process with a pool has. */
const ENOUGH = 64;

/** Makes a pool for each line of its stdin, and says whether that could be done, and what a call gives. */
const PROGRAM = `
const Pool = require(${JSON.stringify(ROOT)});
require('node:readline').createInterface({ input: process.stdin }).on('line', async () => {
  try {
    const pool = new Pool({ engine: 'unix:///nowhere.sock' });
    await pool.run('print()').catch(({ code }) => console.log('made', code));
  } catch ({ code, message }) {
    console.log(code, message);
  }
});
console.log('ready');
`;

const prlimit = (args, uid) => spawnSync('prlimit', args, { uid, stdio: 'ignore' }).status === 0;
const load = ['-e', `require(${JSON.stringify(ROOT)})`];
const able =
  process.platform === 'linux' &&
  process.getuid() === 0 &&
  prlimit(['--version']) &&
  spawnSync(process.execPath, load, { uid: UID, stdio: 'ignore' }).status === 0;

const programs = [];

/** The program, run as the user who may have so many threads. */
class Program {
  static async start(uid, threads = ENOUGH) {
    const args = [`--nproc=${threads}:${ENOUGH}`, process.execPath, '-e', PROGRAM];
    const child = spawn('prlimit', args, { uid, stdio: ['pipe', 'pipe', 'inherit'] });
    const program = new Program(child);
    programs.push(program);
    expect(await program.line()).toBe('ready');
    return program;
  }

  constructor(child) {
    this.pid = child.pid;
    this.stdin = child.stdin;
    this.ended = new Promise((resolve) => child.once('close', resolve));
    this.lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async line() {
    return (await this.lines.next()).value;
  }

  /** What comes of making a pool. */
  make() {
    this.stdin.write('\n');
    return this.line();
  }

  get threads() {
    return fs.readdirSync(`/proc/${this.pid}/task`).length;
  }

  async end() {
    process.kill(this.pid, 'SIGKILL');
    await this.ended;
  }
}

afterEach(async () => {
  for (const program of programs.splice(0)) await program.end();
});

(able ? describe : describe.skip)('with as many threads as the system gives', () => {
  let own;
  beforeAll(async () => {
    const program = await Program.start(UID);
    own = program.threads;
    await program.end();
    programs.length = 0;
  });

  test('with none left, a pool is refused by the name of the limit, until there are some', async () => {
    const program = await Program.start(UID + 1, own);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(await program.make()).toMatch(/^BINDING_UNAVAILABLE .*ulimit -u.*pids\.max/);
    }
    expect(prlimit([`--nproc=${ENOUGH}:`, '--pid', program.pid], UID + 1)).toBe(true);
    expect(await program.make()).toBe('made ENGINE_UNAVAILABLE');
  });

  test.each([1, 2, 3])('with %i left, a pool works', async (left) => {
    const program = await Program.start(UID + 1 + left, own + left);
    expect(await program.make()).toBe('made ENGINE_UNAVAILABLE');
  });
});
