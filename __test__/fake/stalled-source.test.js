'use strict';

const { Readable } = require('node:stream');

const { until } = require('../../harness/until');
const { never, useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

/** What a call comes to: `'ok'`, or its error's code. */
const told = (promise) =>
  promise.then(
    () => 'ok',
    ({ code }) => code,
  );

describe('a write whose source stalls ends with its container', () => {
  const stalled = () => {
    const source = new Readable({ read() {} });
    source.push('begin');
    return source;
  };
  const began = (source) => until(() => source.readableLength === 0);
  const pool = () => bench.pool({ poolSize: 0, execTimeout: 0 });

  it('which is destroyed', async () => {
    const container = await pool().acquire();
    const source = stalled();
    const writing = told(container.writeFiles({ a: source }));
    await began(source);
    await container.destroy();
    expect([await writing, source.destroyed]).toEqual(['CONTAINER_TERMINATED', true]);
  });

  it('which a call beside it ends', async () => {
    bench.engine.run = never;
    const container = await pool().acquire();
    const source = stalled();
    const writing = told(container.writeFiles({ a: source }));
    await began(source);
    const { reason } = await container.execute('x', {}, [], { timeout: 20 });
    expect([reason, await writing, source.destroyed]).toEqual([
      'timeout',
      'CONTAINER_TERMINATED',
      true,
    ]);
  });

  it('which is lost', async () => {
    const container = await pool().acquire();
    const source = stalled();
    const writing = told(container.writeFiles({ a: source }));
    await began(source);
    bench.engine.containers[0].die();
    expect([await writing, source.destroyed]).toEqual(['CONTAINER_LOST', true]);
  });

  it('which a shutdown ends', async () => {
    const one = pool();
    const source = stalled();
    const running = told(one.run('x', { files: { a: source } }));
    await began(source);
    await one.shutdown({ grace: 0 });
    expect([await running, source.destroyed]).toEqual(['CONTAINER_TERMINATED', true]);
  });
});
