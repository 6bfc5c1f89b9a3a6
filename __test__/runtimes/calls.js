'use strict';

// What a pool does in any runtime of JavaScript, as a plain program: no test runner is the same in all of them.
//
//     node __test__/runtimes/calls.js ENGINE [IMAGE]     ENGINE: fake, or as the option `engine` names it
//
// It says of each case what came of it, and ends by itself, with a pool idle that nobody shut down.

const { strict: assert } = require('node:assert');
const { once } = require('node:events');
const path = require('node:path');
const { Readable } = require('node:stream');
const { pathToFileURL } = require('node:url');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const { ContainerPoolManager, PoolError } = require('../..');
const { FakeEngine } = require('../../testing');

/** Each case, by what it shows. `pool` is warm; `fake` is the fake engine, where that is the one. */
const CASES = {
  'a pool is warm once it is initialized': ({ pool }) => {
    assert.equal(pool.stats().warm, 1);
    assert.equal(pool.stats().state, 'healthy');
  },

  'a script gets its variables and arguments': async ({ pool, fake }) => {
    fake?.reply('import os, sys', ({ env, args }) => ({ stdout: `${env.A} ${args}\n` }));
    const { stdout, exitCode, reason } = await leased(pool, (container) =>
      container.execute('import os, sys; print(os.environ["A"], sys.argv[1])', { A: 1 }, ['x']),
    );
    assert.deepEqual([stdout, exitCode, reason], ['1 x', 0, 'exit']);
  },

  'a script that fails is a result': async ({ pool, fake }) => {
    fake?.reply('sys.exit(3)', { stderr: 'oh\n', exitCode: 3 });
    const script = 'import sys; print("oh", file=sys.stderr); sys.exit(3)';
    const { stderr, exitCode, reason } = await pool.run(script);
    assert.deepEqual([stderr, exitCode, reason], ['oh', 3, 'exit']);
  },

  'a command reads its stdin, and gives bytes': async ({ pool, fake }) => {
    fake?.reply('cat', ({ stdin }) => ({ stdout: stdin }));
    const bytes = Buffer.from([0, 255, 10, 128]);
    const { stdout } = await leased(pool, (container) =>
      container.executeCommand(['cat'], { stdin: bytes, encoding: 'buffer' }),
    );
    assert.ok(Buffer.isBuffer(stdout));
    assert.deepEqual([...stdout], [...bytes]);
  },

  'output comes to a callback, which holds it back': async ({ pool, fake }) => {
    fake?.reply('range(3)', async ({ write }) => {
      for (let n = 0; n < 3; n += 1) await write('stdout', `${n}\n`);
    });
    let text = '';
    let inside = 0;
    await pool.run('for n in range(3): print(n, flush=True)', {
      onStdout: async (chunk) => {
        inside += 1;
        assert.equal(inside, 1);
        await new Promise((resolve) => setImmediate(resolve));
        text += chunk;
        inside -= 1;
      },
    });
    assert.equal(text, '0\n1\n2\n');
  },

  'a spawned script gives lines': async ({ pool, fake }) => {
    fake?.reply('range(4)', { stdout: '0\n1\n2\n3\n' });
    await leased(pool, async (container) => {
      const child = container.spawn('for n in range(4): print(n)');
      const lines = [];
      for await (const line of child) lines.push(line);
      assert.deepEqual(lines, ['0', '1', '2', '3']);
      assert.equal((await child.exit).exitCode, 0);
    });
  },

  'a spawned command reads what is written to it': async ({ pool, fake }) => {
    fake?.reply('sort', async ({ input, write }) => {
      let text = '';
      for await (const chunk of input) text += chunk;
      write('stdout', text.trim().split('\n').sort().join('\n'));
    });
    await leased(pool, async (container) => {
      const child = container.spawn(['sort'], { encoding: 'utf8' });
      child.stdin.end('b\na\n');
      let text = '';
      for await (const chunk of child.stdout) text += chunk;
      assert.deepEqual(text.trim().split('\n'), ['a', 'b']);
      assert.equal((await child.exit).reason, 'exit');
    });
  },

  'files go in and come out': ({ pool }) =>
    leased(pool, async (container) => {
      const big = Buffer.alloc(300_000, 'x');
      await container.writeFiles({
        'in/a.txt': 'hello',
        'in/b.bin': Readable.from([big.subarray(0, 1000), big.subarray(1000)]),
      });
      assert.equal(await container.readFile('in/a.txt', 'utf8'), 'hello');
      const files = await container.readFiles('in/*');
      assert.deepEqual(Object.keys(files).sort(), ['in/a.txt', 'in/b.bin']);
      assert.ok(files['in/b.bin'].equals(big));
    }),

  'a file that is not there is an error with a code': ({ pool }) =>
    leased(pool, async (container) => {
      const error = await rejection(container.readFile('absent'));
      assert.ok(error instanceof PoolError && error instanceof Error);
      assert.deepEqual([error.code, error.path], ['FILE_NOT_FOUND', 'absent']);
    }),

  'a session keeps its names': async ({ pool, fake }) => {
    fake?.reply('x = 20', {}).reply('x + 1', { stdout: '21\n' });
    await leased(pool, async (container) => {
      const session = await container.session();
      await session.run('x = 20');
      assert.equal((await session.run('print(x + 1)')).stdout, '21');
      await session.close();
      assert.equal(session.ended, true);
    });
  },

  'a script that never ends does at its timeout': async ({ pool, fake }) => {
    fake?.reply('while True', { reason: 'timeout' });
    const { reason } = await pool.run('while True: pass', { timeout: 300 });
    assert.equal(reason, 'timeout');
  },

  'a signal ends a call with its own reason': async ({ pool, fake }) => {
    fake?.reply('sleep(60)', { reason: 'timeout' });
    const abort = new AbortController();
    const why = new Error('enough');
    const call = pool.run('import time; time.sleep(60)', { signal: abort.signal, timeout: 60_000 });
    setTimeout(() => abort.abort(why), 50);
    assert.equal(await rejection(call), why);
  },

  'what a callback throws is what its call rejects with': async ({ pool, fake }) => {
    fake?.reply('print(5)', { stdout: '5\n' });
    const why = new TypeError('not this');
    const call = pool.run('print(5)', {
      onStdout: () => {
        throw why;
      },
    });
    assert.equal(await rejection(call), why);
  },

  'a bad argument is an error': async ({ pool }) => {
    const error = await rejection(pool.run('1', { timeout: 'soon' }));
    assert.equal(error.code, 'INVALID_ARGUMENT');
  },

  'a container that was destroyed runs nothing, and the error says where it was asked to': async ({
    pool,
  }) => {
    const container = await pool.acquire();
    await container[Symbol.asyncDispose]();
    assert.equal(container.status, 'TERMINATED');
    const error = await rejection(container.execute('1'));
    assert.equal(error.code, 'CONTAINER_TERMINATED');
    assert.match(error.stack, /calls\.js/);
  },

  'events tell of each container': async ({ pool }) => {
    const told = [];
    for (const name of ['acquired', 'destroyed']) pool.on(name, ({ id }) => told.push([name, id]));
    const container = await pool.acquire();
    await container.destroy();
    const own = told.filter(([, id]) => id === container.id).map(([name]) => name);
    assert.deepEqual(own, ['acquired', 'destroyed']);
  },

  'thirty calls at once have each its own result': async ({ pool, fake }) => {
    fake?.reply('sys.argv[1]', ({ args }) => ({ stdout: `${args[0]}\n` }));
    const numbers = Array.from({ length: 30 }, (_, at) => at);
    const results = await Promise.all(
      numbers.map((n) => pool.run('import sys; print(sys.argv[1])', { args: [n] })),
    );
    assert.deepEqual(
      results.map(({ stdout }) => Number(stdout)),
      numbers,
    );
  },

  'an ES module has the functions by name': async () => {
    const module = await import(pathToFileURL(path.join(__dirname, '../../index.js')));
    assert.equal(module.default, ContainerPoolManager);
    assert.equal(module.run, ContainerPoolManager.run);
  },

  'a worker thread has a pool of its own': async ({ fake, options }) => {
    fake?.reply('print(8)', { stdout: '8\n' });
    const worker = new Worker(__filename, { workerData: { options } });
    // Both may come in one turn.
    const [[answer], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    assert.deepEqual([answer, code], ['8', 0]);
  },

  'a pool that is shut down has no containers, and takes no calls': async ({ pool, fake }) => {
    await pool.shutdown();
    assert.equal(pool.stats().state, 'closed');
    assert.equal((await rejection(pool.acquire())).code, 'POOL_CLOSED');
    await fake?.assertEmpty();
  },
};

async function leased(pool, use) {
  const container = await pool.acquire();
  try {
    return await use(container);
  } finally {
    await container.destroy();
  }
}

/** What a promise rejects with. */
function rejection(promise) {
  return promise.then(
    () => assert.fail('it has not failed'),
    (error) => error,
  );
}

async function main() {
  const [engine, image] = process.argv.slice(2);
  const fake = engine === 'fake' ? await FakeEngine.start() : null;
  const options = { engine: fake?.address ?? engine, poolSize: 1, ...(image && { image }) };
  const pool = new ContainerPoolManager(options);
  let failed = 0;
  await pool.initialize();
  for (const [name, show] of Object.entries(CASES)) {
    try {
      await show({ pool, fake, options });
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${name}\n${error?.stack ?? error}`);
    }
  }
  await pool.shutdown({ grace: 0 });
  if (fake) await fake.close();
  else await new ContainerPoolManager(options).initialize();
  process.exitCode = failed > 0 ? 1 : 0;
  console.log(`${Object.keys(CASES).length - failed} passed, ${failed} failed`);
}

async function work() {
  const pool = new ContainerPoolManager(workerData.options);
  const { stdout } = await pool.run('print(8)');
  await pool.shutdown();
  parentPort.postMessage(stdout);
}

if (isMainThread) main();
else work();
