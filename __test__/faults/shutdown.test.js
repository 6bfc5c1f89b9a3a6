'use strict';

// A pool is shut down at any moment, once or twice. Everybody is answered (invariant 4), in a bounded
// time, and the engine lists nothing of the pool afterwards (5).

const { CALLS, never, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { CREATE, PULL, REMOVE, START } = CALLS;

const closed = { code: 'POOL_CLOSED' };

/** What holds after every shutdown. */
const nothingLeft = (pool) => {
  expect(bench.engine.ids).toEqual([]);
  expect(pool.stats()).toMatchObject({
    ...{ warm: 0, creating: 0, leased: 0, destroying: 0, waiting: 0, state: 'closed' },
  });
};

describe('a shutdown', () => {
  it.each([
    ['created', CREATE],
    ['started', START],
  ])('during initialize waits for what is being %s, and removes it', async (_, call) => {
    const { engine } = bench;
    const release = engine.hold(call);
    const pool = bench.pool();
    const initialize = pool.initialize();
    const turnedAway = expect(initialize).rejects.toMatchObject(closed);
    await until(() => engine.count(call) === 2);
    let ended = false;
    const shutdown = pool.shutdown().then(() => {
      ended = true;
    });
    await turnedAway;
    expect(ended).toBe(false);
    release();
    await shutdown;
    nothingLeft(pool);
    expect(engine.made).toBe(2);
  });

  it('during a pull ends it, and all who wait for it', async () => {
    const { engine } = bench;
    let pull;
    engine.on(PULL, (call) => {
      pull = call;
      call.begin(200);
    });
    const pool = bench.pool({ image: 'registry.test/team/py:1' });
    const waiting = [pool.initialize(), pool.acquire()].map((call) =>
      expect(call).rejects.toMatchObject(closed),
    );
    await until(() => pull);
    await pool.shutdown();
    await Promise.all(waiting);
    await until(() => pull.abandoned);
    nothingLeft(pool);
  });

  it('turns away those in line', async () => {
    const pool = bench.pool({ max: 2 });
    const held = [await pool.acquire(), await pool.acquire()];
    const line = Array.from({ length: 5 }, () => pool.acquire());
    const turnedAway = line.map((call) => expect(call).rejects.toMatchObject(closed));
    await until(() => pool.stats().waiting === 5);
    const shutdown = pool.shutdown();
    await Promise.all(turnedAway);
    await expect(pool.acquire()).rejects.toMatchObject(closed);
    await Promise.all(held.map((container) => container.destroy()));
    await shutdown;
    nothingLeft(pool);
  });

  it('waits for leases, and is through as soon as they are', async () => {
    const { engine } = bench;
    let end;
    engine.run = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    const pool = bench.pool();
    const container = await pool.acquire();
    const call = container.execute('x');
    await until(() => end);
    const shutdown = pool.shutdown({ grace: 60_000 });
    end({ stdout: 'to the end' });
    expect(await call).toMatchObject({ stdout: 'to the end' });
    await container.destroy();
    await shutdown;
    nothingLeft(pool);
  });

  it('ends leases when their grace is over', async () => {
    const { engine } = bench;
    engine.run = never;
    const pool = bench.pool();
    const container = await pool.acquire();
    const call = expect(container.execute('x')).rejects.toMatchObject({
      code: 'CONTAINER_TERMINATED',
    });
    await pool.shutdown({ grace: 100 });
    await call;
    expect(container.status).toBe('TERMINATED');
    nothingLeft(pool);
  });

  it('twice at once is one, and once more is nothing', async () => {
    const { engine } = bench;
    const pool = bench.pool();
    await pool.initialize();
    await Promise.all([pool.shutdown(), pool.shutdown(), pool.shutdown()]);
    await pool.shutdown();
    nothingLeft(pool);
    expect(engine.count(REMOVE)).toBe(2);
  });

  it('of a pool that was never used asks the engine nothing', async () => {
    await bench.pool().shutdown();
    expect(bench.engine.requests).toEqual([]);
  });

  it('is followed by an initialize that opens the pool again', async () => {
    const pool = bench.pool();
    await pool.initialize();
    const shutdown = pool.shutdown();
    const initialize = pool.initialize();
    await shutdown;
    await initialize;
    expect(pool.stats()).toMatchObject({ warm: 2, state: 'healthy' });
    expect(bench.engine.made).toBe(4);
  });

  it('succeeds where removals fail at first', async () => {
    const { engine } = bench;
    const pool = bench.pool();
    await pool.initialize();
    for (const container of engine.containers) container.lifeline = false;
    engine.on(REMOVE, (call) => call.refuse(500, 'device or resource busy'), { times: 6 });
    await pool.shutdown();
    nothingLeft(pool);
  });
});
