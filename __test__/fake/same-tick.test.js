'use strict';

const { until } = require('../../harness/until');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

/** What a call comes to: `'ok'`, or its error's code. */
const told = (promise) =>
  promise.then(
    () => 'ok',
    ({ code }) => code,
  );

/** The members of a pool, each as one word for what it comes to. */
const CALLS = {
  initialize: (pool) => told(pool.initialize()),
  acquire: (pool) => told(pool.acquire().then((container) => container.destroy())),
  run: (pool) => told(pool.run('x')),
  resize: (pool) => {
    pool.poolSize = 3;
    return Promise.resolve('ok');
  },
  shutdown: (pool) => told(pool.shutdown({ grace: 0 })),
};

/** How a pool stands, warm: state and number. */
const OPEN = ['healthy', 1];
const WIDER = ['healthy', 3];
const CLOSED = ['closed', 0];

describe('what is called in one tick gives what it gives one after the other', () => {
  // calls, what each comes to, how the pool stands in the end
  const rows = [
    [['initialize', 'initialize'], ['ok', 'ok'], OPEN],
    [['initialize', 'acquire'], ['ok', 'ok'], OPEN],
    [['initialize', 'run'], ['ok', 'ok'], OPEN],
    [['initialize', 'resize'], ['ok', 'ok'], WIDER],
    [['initialize', 'shutdown'], ['POOL_CLOSED', 'ok'], CLOSED],
    [['acquire', 'initialize'], ['ok', 'ok'], OPEN],
    [['acquire', 'acquire'], ['ok', 'ok'], OPEN],
    [['acquire', 'run'], ['ok', 'ok'], OPEN],
    [['acquire', 'resize'], ['ok', 'ok'], WIDER],
    [['acquire', 'shutdown'], ['POOL_CLOSED', 'ok'], CLOSED],
    [['run', 'initialize'], ['ok', 'ok'], OPEN],
    [['run', 'acquire'], ['ok', 'ok'], OPEN],
    [['run', 'run'], ['ok', 'ok'], OPEN],
    [['run', 'resize'], ['ok', 'ok'], WIDER],
    [['run', 'shutdown'], ['POOL_CLOSED', 'ok'], CLOSED],
    [['resize', 'initialize'], ['ok', 'ok'], WIDER],
    [['resize', 'acquire'], ['ok', 'ok'], WIDER],
    [['resize', 'run'], ['ok', 'ok'], WIDER],
    [['resize', 'shutdown'], ['ok', 'ok'], CLOSED],
    [['shutdown', 'initialize'], ['ok', 'ok'], OPEN],
    [['shutdown', 'acquire'], ['ok', 'POOL_CLOSED'], CLOSED],
    [['shutdown', 'run'], ['ok', 'POOL_CLOSED'], CLOSED],
    [['shutdown', 'resize'], ['ok', 'ok'], CLOSED],
    [['shutdown', 'shutdown'], ['ok', 'ok'], CLOSED],
    [['initialize', 'shutdown', 'initialize'], ['POOL_CLOSED', 'ok', 'ok'], OPEN],
    [['shutdown', 'initialize', 'acquire'], ['ok', 'ok', 'ok'], OPEN],
    [['shutdown', 'initialize', 'run'], ['ok', 'ok', 'ok'], OPEN],
    [['shutdown', 'initialize', 'resize'], ['ok', 'ok', 'ok'], WIDER],
    [['shutdown', 'initialize', 'shutdown'], ['ok', 'POOL_CLOSED', 'ok'], CLOSED],
    [
      ['shutdown', 'initialize', 'acquire', 'shutdown'],
      ['ok', 'POOL_CLOSED', 'POOL_CLOSED', 'ok'],
      CLOSED,
    ],
  ];

  const perform = async (pool, calls, outcomes, [state, warm]) => {
    expect(await Promise.all(calls.map((call) => CALLS[call](pool)))).toEqual(outcomes);
    await until(() => pool.stats().warm === warm && pool.stats().state === state);
    await until(() => bench.engine.containers.length === warm);
  };

  test.each(rows)('%j of a new pool', async (calls, outcomes, end) => {
    await perform(bench.pool({ poolSize: 1 }), calls, outcomes, end);
  });

  test.each(rows.filter(([calls]) => calls[0] === 'shutdown'))(
    '%j of one that is open',
    async (calls, outcomes, end) => {
      const pool = bench.pool({ poolSize: 1 });
      await pool.initialize();
      await perform(pool, calls, outcomes, end);
    },
  );

  test.each([
    [
      ['destroy', 'destroy'],
      ['ok', 'ok'],
    ],
    [
      ['destroy', 'execute'],
      ['ok', 'CONTAINER_TERMINATED'],
    ],
    [
      ['destroy', 'executeCommand'],
      ['ok', 'CONTAINER_TERMINATED'],
    ],
    [
      ['destroy', 'writeFiles'],
      ['ok', 'CONTAINER_TERMINATED'],
    ],
    [
      ['destroy', 'readFile'],
      ['ok', 'CONTAINER_TERMINATED'],
    ],
    [
      ['destroy', 'shutdown'],
      ['ok', 'ok'],
    ],
    [
      ['shutdown', 'destroy'],
      ['ok', 'ok'],
    ],
  ])('%j of a container', async (calls, outcomes) => {
    const pool = bench.pool({ poolSize: 0 });
    const container = await pool.acquire();
    const members = {
      destroy: () => container.destroy(),
      execute: () => container.execute('x'),
      executeCommand: () => container.executeCommand(['x']),
      writeFiles: () => container.writeFiles({ a: 'x' }),
      readFile: () => container.readFile('a'),
      shutdown: () => pool.shutdown({ grace: 0 }),
    };
    expect(await Promise.all(calls.map((call) => told(members[call]())))).toEqual(outcomes);
  });
});

it('keeps the handler of signals while the pool is open', async () => {
  const pool = bench.pool({ poolSize: 0, handleSignals: true });
  await pool.initialize();
  const listeners = process.listenerCount('SIGTERM');
  await Promise.all([pool.shutdown({ grace: 0 }), pool.initialize()]);
  expect(process.listenerCount('SIGTERM')).toBe(listeners);
  await pool.shutdown({ grace: 0 });
  expect(process.listenerCount('SIGTERM')).toBe(listeners - 1);
});
