'use strict';

// The bytes of a container's stream are cut, late, or none that an engine would send. A call that has
// not had all of them is lost or timed out, never a success (invariant 4), and its container is removed (3).

const { CALLS, useFakeEngine } = require('../support/fake-bench');
const { until } = require('../../harness/until');

const bench = useFakeEngine();
const { CREATE_EXEC, REMOVE } = CALLS;

const lost = { code: 'CONTAINER_LOST', containerId: expect.stringMatching(/^\w{64}$/) };
/**
 * Of an answer with five bytes of stdout and three of stderr: each, and the end, in a frame of the
 * supervisor's in one of the engine's.
 */
const ANSWER = 3 * (8 + 5) + 5 + 3 + 1;

describe('the stream of a script', () => {
  it('is a lost container wherever it is cut, and never a success with missing bytes', async () => {
    const { engine } = bench;
    const pool = bench.pool({ poolSize: 0 });
    for (let cutAt = 0; cutAt < ANSWER; cutAt += 1) {
      engine.run = () => ({ stdout: 'hello', stderr: 'err', cutAt });
      const container = await pool.acquire();
      await expect(container.execute('x')).rejects.toMatchObject({
        ...lost,
        containerId: container.id,
      });
      expect(container.status).toBe('TERMINATED');
    }
    engine.run = () => ({ stdout: 'hello', stderr: 'err', cutAt: ANSWER });
    expect(await pool.run('x')).toMatchObject({ stdout: 'hello', stderr: 'err', exitCode: 0 });
    await until(() => engine.containers.length === 0);
  });

  it.each([
    ['a stream that does not exist', [3, 0, 0, 0, 0, 0, 0, 1, 65]],
    ['a header that is none', [1, 0, 9, 0, 0, 0, 0, 1, 65]],
  ])('is a lost container when a frame has %s', async (_, bytes) => {
    const { engine } = bench;
    engine.run = () => ({ raw: Buffer.from(bytes), stdout: 'hello' });
    const pool = bench.pool({ poolSize: 0 });
    const call = pool.run('x');
    await expect(call).rejects.toMatchObject(lost);
    await expect(call).rejects.toThrow('a frame begins with');
    await until(() => engine.containers.length === 0);
  });

  it.each([
    ['a kind that there is not', [1, 0, 0, 0, 0, 0, 0, 5, 0x3f, 0, 0, 0, 0]],
    ['more than a piece of output', [1, 0, 0, 0, 0, 0, 0, 5, 0x31, 1, 0, 1, 0]],
    ['a signal that there is not', [1, 0, 0, 0, 0, 0, 0, 6, 0x53, 1, 0, 0, 0, 65]],
    ['an exit code of two bytes', [1, 0, 0, 0, 0, 0, 0, 7, 0x58, 2, 0, 0, 0, 1, 0]],
  ])('is a lost container when the supervisor tells of %s', async (_, bytes) => {
    const { engine } = bench;
    engine.run = () => ({ raw: Buffer.from(bytes), stdout: 'hello' });
    const call = bench.pool({ poolSize: 0 }).run('x');
    await expect(call).rejects.toMatchObject(lost);
    await expect(call).rejects.toThrow('the supervisor sent');
    await until(() => engine.containers.length === 0);
  });

  it('may come byte by byte', async () => {
    const { engine } = bench;
    engine.run = ({ container }) => {
      const frame = [1, 0, 0, 0, 0, 0, 0, 7, 0x31, 2, 0, 0, 0, 0xc3, 0xa4];
      for (const byte of frame) container.write(Buffer.from([byte]));
      return { stderr: 'e' };
    };
    const result = await bench.pool({ poolSize: 0 }).run('x');
    expect(result).toMatchObject({ stdout: 'ä', stderr: 'e', stdoutBytes: 2, stderrBytes: 1 });
  });

  it('that stalls with output on its way is a timeout with what came', async () => {
    const { engine } = bench;
    engine.run = ({ container }) => {
      // A payload of ten bytes is announced, and five of them come.
      const heads = [1, 0, 0, 0, 0, 0, 0, 15, 0x31, 10, 0, 0, 0];
      container.write(Buffer.from([...heads, 104, 101, 108, 108, 111]));
      return new Promise(() => {});
    };
    const result = await bench.pool({ poolSize: 0 }).run('x', { timeout: 100 });
    expect(result).toMatchObject({ stdout: 'hello', reason: 'timeout', exitCode: 137 });
    await until(() => engine.containers.length === 0);
  });

  it('ends with the container, which is removed once', async () => {
    const { engine } = bench;
    engine.run = ({ container }) => {
      container.die();
      return new Promise(() => {});
    };
    const container = await bench.pool({ poolSize: 0 }).acquire();
    await expect(container.execute('x')).rejects.toMatchObject(lost);
    await container.destroy();
    expect(engine.count(REMOVE)).toBeLessThanOrEqual(1);
  });

  it('of one container does not touch those of others', async () => {
    const { engine } = bench;
    const ends = {};
    engine.run = ({ script }) =>
      new Promise((resolve) => {
        ends[script] = resolve;
      });
    const pool = bench.pool({ poolSize: 2 });
    await pool.initialize();
    const calls = [pool.run('a'), pool.run('b')];
    await until(() => ends.a && ends.b);
    ends.a({ stdout: 'cut', cutAt: 9 });
    await expect(calls[0]).rejects.toMatchObject(lost);
    ends.b({ stdout: 'whole' });
    expect(await calls[1]).toMatchObject({ stdout: 'whole' });
  });
});

describe('a call through an exec', () => {
  /** A container whose supervisor is busy for good. */
  const busy = async () => {
    const { engine } = bench;
    const container = await bench.pool({ poolSize: 0 }).acquire();
    let begun = false;
    engine.run = () => {
      begun = true;
      return new Promise(() => {});
    };
    container.execute('busy').catch(() => {});
    await until(() => begun);
    return container;
  };

  it.each([3, 10])('is a lost container when its stream is cut after %i bytes', async (cutAt) => {
    const container = await busy();
    bench.engine.run = () => ({ stdout: 'hello', cutAt });
    await expect(container.execute('x')).rejects.toMatchObject(lost);
  });

  it("is the engine's error when the engine refuses it", async () => {
    const container = await busy();
    bench.engine.on(CREATE_EXEC, (call) => call.refuse(500, 'no more processes'));
    await expect(container.execute('x')).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      statusCode: 500,
      message: expect.stringContaining('no more processes'),
    });
  });

  it('is a lost container when the engine knows the container no more', async () => {
    const container = await busy();
    bench.engine.on(CREATE_EXEC, (call) =>
      call.refuse(409, `Container ${container.id} is not running`),
    );
    await expect(container.execute('x')).rejects.toMatchObject(lost);
  });
});
