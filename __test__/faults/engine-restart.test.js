'use strict';

// The engine stops, or is killed, and comes back. Nothing hangs (invariant 4), the pool comes back to
// its size by itself (6), and nothing of before is left (3).

const { describeOwn, useOwnEngine } = require('../support/own-bench');
const { until } = require('../../harness/until');

const WAYS = [
  ['is stopped', 'SIGTERM'],
  ['is killed', 'SIGKILL'],
];

describe.each([false, true])('with live-restore %s', (liveRestore) => {
  describeOwn('an engine', () => {
    const bench = useOwnEngine({ daemon: { 'live-restore': liveRestore } });

    it.each(WAYS)('that %s and comes back is used again, by the same pool', async (_, signal) => {
      const { engine } = bench;
      const pool = bench.pool();
      const errors = [];
      pool.on('error', (error) => errors.push(error.code));
      await pool.initialize();
      const before = pool.pool.map(({ id }) => id);
      const leased = await pool.acquire();
      let begun = false;
      const running = leased
        .execute('import time\nprint(1, flush=True)\ntime.sleep(600)', {}, [], {
          onStdout: () => {
            begun = true;
          },
        })
        .catch((error) => error);
      await until(() => begun);

      await engine.stopDaemon(signal);
      // Long before its own deadline, and without another call.
      expect((await running).code).toMatch(/^(CONTAINER_LOST|ENGINE_UNAVAILABLE)$/);
      await until(() => pool.stats().warm === 0);
      const away = await pool.run('print(1)', { acquireTimeout: 5000 }).catch((error) => error);
      expect(away.code).toMatch(/^(ENGINE_UNAVAILABLE|ACQUIRE_TIMEOUT)$/);

      await engine.startDaemon();
      // Nobody asks: the pool fills up again by itself.
      await until(() => pool.stats().warm === 2, 30_000);
      expect(await pool.run('print("again")')).toMatchObject({ stdout: 'again' });
      expect(pool.stats().state).toBe('healthy');
      // Its removal may have failed while the engine was away. It is tried again by itself.
      await leased.destroy().catch(({ code }) => expect(code).toBe('ENGINE_UNAVAILABLE'));
      await until(async () => {
        const listed = (await bench.containersOf(pool)).map(({ Id }) => Id);
        return listed.every((id) => !before.includes(id) && id !== leased.id);
      });
      // In the engine's going down each call may fail in its own words; then the tries are all the same.
      expect(errors.length).toBeLessThan(10);
    });
  });
});
