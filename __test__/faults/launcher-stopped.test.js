'use strict';

// The launcher of the local engine is stopped, and its keeper. Every call still ends by a deadline of its own
// (invariant 4), and another launcher takes its place, without a word from anybody (6).

const { Pools, idsOf, outside, sweep, until } = require('../support/engine');

/** The longest the launcher has for a call here, ms. */
const TIMEOUT = 1000;

const pools = new Pools();
afterEach(pools.close);

(outside().hasInit ? describe : describe.skip)('a stopped launcher', () => {
  let pool;
  let errors;
  beforeEach(() => {
    pool = pools.make({ engine: { kind: 'local', timeout: TIMEOUT } });
    errors = [];
    pool.on('error', (error) => errors.push(error));
  });

  async function stop() {
    const { parts } = await outside().traceOf(process.pid, pool.label);
    process.kill(parts['its keeper'], 'SIGSTOP');
    process.kill(parts['its launcher'], 'SIGSTOP');
  }

  it('keeps no call beyond its own deadline, and is replaced', async () => {
    await pool.initialize();
    const [busy, idle] = [await pool.acquire(), await pool.acquire()];
    await until(() => pool.stats().warm === 2);
    let begun = false;
    const call = busy.execute('import time\nprint(1, flush=True)\ntime.sleep(600)', {}, [], {
      timeout: 500,
      onStdout: () => {
        begun = true;
      },
    });
    await until(() => begun);
    await stop();
    expect(await call).toMatchObject({ reason: 'timeout', stdout: '1' });
    // The launcher may be replaced, and the container gone with it, by the time that this is asked for.
    const destroyed = await idle.destroy().catch((error) => error);
    expect(destroyed?.code ?? 'ENGINE_UNAVAILABLE').toBe('ENGINE_UNAVAILABLE');
    expect(await pool.run('print("again")', { timeout: 20_000 })).toMatchObject({
      stdout: 'again',
    });
    await until(() => pool.stats().warm === 2 && pool.stats().destroying === 0);
    expect(errors.length).toBeLessThan(25);
  });

  it('holds a shutdown up for a bounded time', async () => {
    await pool.initialize();
    const leased = await pool.acquire();
    const call = leased.execute('import time\ntime.sleep(600)').catch((error) => error);
    await until(() => pool.stats().warm === 2);
    await stop();
    const began = performance.now();
    await pool.shutdown({ grace: 100 }).catch(() => {});
    expect(performance.now() - began).toBeLessThan(30_000);
    expect((await call).code).toMatch(/^CONTAINER_(TERMINATED|LOST)$/);
    // With no launcher that goes on, the next one removes their control groups.
    await until(async () => {
      await sweep();
      return (await idsOf(pool)).length === 0;
    });
    expect(pool.stats()).toMatchObject({ state: 'closed', warm: 0, leased: 0, waiting: 0 });
  });
});
