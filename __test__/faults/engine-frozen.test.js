'use strict';

// The engine accepts connections and never answers. Every call still ends by a deadline of its own
// (invariant 4), and when the engine goes on, so does the pool (6).

const { settled, until } = require('../support/engine');
const { describeOwn, useOwnEngine } = require('../support/own-bench');

/** The longest the engine has for a call here, ms. */
const TIMEOUT = 1000;

describeOwn('a frozen engine', () => {
  const bench = useOwnEngine();
  let pool;
  let errors;
  beforeEach(() => {
    pool = bench.pool({ engine: { host: bench.engine.host, timeout: TIMEOUT } });
    errors = [];
    pool.on('error', (error) => errors.push(error));
  });

  const took = async (call) => {
    const began = performance.now();
    const outcome = await call.catch((error) => error);
    return { outcome, ms: performance.now() - began };
  };

  it('keeps no call beyond its own deadline, and the pool goes on when the engine does', async () => {
    await pool.initialize();
    const [busy, idle] = [await pool.acquire(), await pool.acquire()];
    await until(() => pool.stats().warm === 2);
    let begun = false;
    const call = busy.execute('import time\nprint(1, flush=True)\ntime.sleep(600)', {}, [], {
      timeout: 2000,
      onStdout: () => {
        begun = true;
      },
    });
    await until(() => begun);

    bench.engine.signal('SIGSTOP');
    // Warm ones can still be had, for nobody knows better; what is sent to one is never answered.
    const silent = await took((await pool.acquire()).execute('print(1)', {}, [], { timeout: 500 }));
    expect(silent.outcome.reason).toBe('timeout');
    await pool.acquire();
    expect(await call).toMatchObject({ reason: 'timeout', stdout: '1' });
    const calls = {
      acquire: await took(pool.acquire({ timeout: 300 })),
      destroy: await took(idle.destroy()),
      initialize: await took(pool.initialize()),
    };
    expect(calls.acquire.outcome.code).toMatch(/^(ACQUIRE_TIMEOUT|ENGINE_UNAVAILABLE)$/);
    expect(calls.destroy.outcome).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    expect(calls.initialize.outcome).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    for (const { ms } of Object.values(calls)) expect(ms).toBeLessThan(10 * TIMEOUT);

    bench.engine.signal('SIGCONT');
    await until(() => pool.stats().warm === 2);
    await until(() => pool.stats().destroying === 0);
    expect(await pool.run('print("again")')).toMatchObject({ stdout: 'again' });
    // Of hundreds of removals and creates that could have been tried.
    expect(errors.length).toBeLessThan(25);
  });

  it('holds a shutdown up for a bounded time, and ends what it could not remove when it goes on', async () => {
    await pool.initialize();
    const leased = await pool.acquire();
    const call = leased.execute('import time\ntime.sleep(600)').catch((error) => error);
    await settled(pool);
    bench.engine.signal('SIGSTOP');
    const { outcome, ms } = await took(pool.shutdown({ grace: 100 }));
    expect(outcome).toMatchObject({ message: expect.stringContaining(leased.id) });
    expect(ms).toBeLessThan(45_000);
    expect((await call).code).toBe('CONTAINER_TERMINATED');
    expect(pool.stats()).toMatchObject({ state: 'closed', warm: 0, leased: 0, waiting: 0 });
    bench.engine.signal('SIGCONT');
    // Their lifelines were cut, and it learns of that now.
    await until(async () => (await bench.containersOf(pool)).length === 0);
    bench.pools.forget(pool);
  });
});
