'use strict';

const { createHash, randomFillSync } = require('node:crypto');
const { PassThrough, Readable, Transform } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { NO_PYTHON, Pools, idsOf, outside, until } = require('../support/engine');

const MiB = 1024 * 1024;

const pools = new Pools();
let pool;
let container;
beforeEach(async () => {
  pool = pools.make({ poolSize: 1 });
  container = await pool.acquire();
});
afterEach(pools.close);

const gone = (id) => until(async () => !(await idsOf(pool)).includes(id));

async function text(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function linesOf(child, options) {
  const lines = [];
  for await (const line of child.lines(options)) lines.push(line);
  return lines;
}

/** So many bytes that no two parts of are the same, and a hash of what has passed. */
function random(size) {
  const hash = createHash('sha256');
  const piece = 64 * 1024;
  const source = Readable.from(
    (function* pieces() {
      for (let at = 0; at < size; at += piece) {
        const bytes = randomFillSync(Buffer.alloc(piece));
        hash.update(bytes);
        yield bytes;
      }
    })(),
  );
  return { source, hash };
}

/** Writes as much as it can to stdout, and to a file how many MiB that were. */
const flood = (mebibytes) => `
import os
for n in range(${mebibytes}):
    os.write(1, b"x" * ${MiB})
    with open("/tmp/written", "w") as file: file.write(str(n + 1))
`;

const written = async () => {
  const { stdout } = await container.execute(['cat', '/tmp/written']);
  return Number(stdout);
};

/** How many MiB a flood has written once it writes no more. */
async function standstill() {
  let before = -1;
  let same = 0;
  await until(async () => {
    const now = await written();
    same = now === before ? same + 1 : 0;
    before = now;
    return same >= 5;
  });
  return before;
}

const ways = [['by the supervisor', {}]];
if (!outside().needsPython) ways.push(["by the engine's exec", { image: NO_PYTHON }]);

describe.each(ways)('a command %s', (_, options) => {
  let child;
  beforeEach(async () => {
    pool = pools.make({ poolSize: 0, ...options });
    container = await pool.acquire();
  });

  it('gets back through cat what was written, every byte of 50 MiB', async () => {
    const { source, hash } = random(50 * MiB);
    const back = createHash('sha256');
    child = container.spawn(['cat']);
    await Promise.all([pipeline(source, child.stdin), pipeline(child.stdout, back)]);
    expect(back.digest('hex')).toBe(hash.digest('hex'));
    expect(await child.exit).toMatchObject({ exitCode: 0, stdoutBytes: 50 * MiB });
  });

  it('answers while its stdin is open', async () => {
    child = container.spawn(['cat']);
    const lines = child.lines();
    child.stdin.write('a\n');
    expect(await lines.next()).toEqual({ done: false, value: 'a' });
    child.stdin.write('b\n');
    expect(await lines.next()).toEqual({ done: false, value: 'b' });
    child.stdin.end();
    expect(await lines.next()).toEqual({ done: true, value: undefined });
    expect(await child.exit).toMatchObject({ exitCode: 0 });
  });

  it('may end without reading its stdin', async () => {
    child = container.spawn(['sh', '-c', 'exit 3']);
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(16 * 1024));
      },
    });
    await expect(pipeline(endless, child.stdin)).rejects.toThrow();
    expect(await child.exit).toMatchObject({ exitCode: 3 });
    expect((await container.execute(['echo', 'next'])).stdout).toBe('next\n');
  });

  it('loses nothing to a reader that is slower than its end', async () => {
    child = container.spawn(['sh', '-c', `head -c ${6 * MiB} /dev/zero`]);
    const slowly = new Transform({
      transform(chunk, _encoding, callback) {
        setTimeout(callback, 5, null, chunk);
      },
    });
    let size = 0;
    for await (const chunk of child.stdout.pipe(slowly)) size += chunk.length;
    expect(size).toBe(6 * MiB);
    expect(await child.exit).toMatchObject({ exitCode: 0, stdoutBytes: size });
  });

  it('a hundred one after another leave nothing behind', async () => {
    for (let n = 0; n < 100; n += 1) {
      child = container.spawn(['cat']);
      child.stdin.end(String(n));
      expect(await text(child.stdout)).toBe(String(n));
      expect(await child.exit).toMatchObject({ exitCode: 0 });
    }
  });
});

describe('a reader that stops', () => {
  it('stops the writer in the container, and no other call', async () => {
    const child = container.spawn(flood(256));
    const at = await standstill();
    // What the streams, the engine and the kernel hold on the way.
    expect(at).toBeLessThan(outside().onTheWay);
    expect(child.stdout.readableLength).toBeLessThan(3 * MiB);
    expect((await pool.run('print("elsewhere")')).stdout).toBe('elsewhere');
    let size = 0;
    for await (const chunk of child.stdout) size += chunk.length;
    expect(size).toBe(256 * MiB);
    expect(await child.exit).toMatchObject({ exitCode: 0, stdoutBytes: size });
  });

  it('does not keep the call from its timeout', async () => {
    const child = container.spawn(flood(256), {}, [], { timeout: 1000 });
    expect(await child.exit).toMatchObject({ reason: 'timeout', exitCode: 137 });
    const read = (await text(child.stdout)).length;
    expect(read).toBeLessThan(3 * MiB);
    await gone(container.id);
  });

  it('that leaves in the middle has the rest discarded', async () => {
    const child = container.spawn(flood(32));
    for await (const chunk of child.stdout) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(await child.exit).toMatchObject({ exitCode: 0, stdoutBytes: 32 * MiB });
    expect((await container.execute('print("next")')).stdout).toBe('next');
  });
});

it('gives stdout and stderr separately', async () => {
  const script = 'import sys\nprint("out")\nprint("err", file=sys.stderr)\nsys.exit(4)';
  const child = container.spawn(script);
  expect(await Promise.all([text(child.stdout), text(child.stderr)])).toEqual(['out\n', 'err\n']);
  expect(await child.exit).toMatchObject({ exitCode: 4, reason: 'exit', path: 'warm' });
});

it('a script has its arguments and its environment, and nothing on stdin', async () => {
  const script =
    'import os, sys\nprint(sys.argv, os.environ["A"], sys.path[0] == "", repr(sys.stdin.read()))';
  const child = container.spawn(script, { A: 'a' }, ['x']);
  expect(child.stdin).toBeNull();
  expect(await text(child.stdout)).toBe("['-', 'x'] a True ''\n");
});

it('lines are whole, however they are written', async () => {
  const script = `import os, time
for part in (b"a\\r", b"\\n\\xe2\\x82", b"\\xac\\n\\nlast"):
    os.write(1, part)
    time.sleep(0.05)`;
  expect(await linesOf(container.spawn(script))).toEqual(['a', '€', '', 'last']);
});

it('kill ends the call, and everything in the container', async () => {
  const child = container.spawn(['sh', '-c', 'echo begun; sleep 60']);
  for await (const line of child) {
    expect(line).toBe('begun');
    expect(child.kill()).toBe(true);
  }
  expect(await child.exit).toMatchObject({ reason: 'signal', signal: 'SIGKILL', exitCode: 137 });
  expect(child.kill()).toBe(false);
  expect(container.status).toBe('TERMINATED');
  await gone(container.id);
});

it('maxOutputBytes ends it where it is given', async () => {
  const child = container.spawn(flood(8), {}, [], { maxOutputBytes: 1000 });
  expect(await text(child.stdout)).toHaveLength(1000);
  expect(await child.exit).toMatchObject({ reason: 'output_limit', truncated: true });
});

describe('ends with an error in its streams and its exit', () => {
  async function failing(child, end) {
    const read = pipeline(child.stdout, new PassThrough().resume()).catch((error) => error);
    await new Promise((resolve) => child.stderr.once('data', resolve));
    await end();
    return [await child.exit.catch((error) => error), await read];
  }
  const script = 'import sys, time\nprint("up", file=sys.stderr, flush=True)\ntime.sleep(60)';

  it('when its signal is aborted', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const child = container.spawn(script, {}, [], { signal: controller.signal });
    expect(await failing(child, () => controller.abort(reason))).toEqual([reason, reason]);
    await gone(container.id);
  });

  it('when its container is destroyed', async () => {
    const [error, read] = await failing(container.spawn(script), () => container.destroy());
    expect(error).toMatchObject({ code: 'CONTAINER_TERMINATED' });
    expect(read).toBe(error);
  });

  const itKills = outside().seesContainers ? it : it.skip;
  itKills('when its container is lost', async () => {
    const kill = () => outside().kill(container.id);
    const [error, read] = await failing(container.spawn(script), kill);
    expect(error).toMatchObject({ code: 'CONTAINER_LOST' });
    expect(read).toBe(error);
  });

  it('when its container is destroyed while nobody reads', async () => {
    const child = container.spawn(flood(256));
    await standstill();
    await container.destroy();
    await expect(child.exit).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
    await expect(text(child.stdout)).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
  });
});

it('several run beside each other in one container', async () => {
  const children = Array.from({ length: 4 }, () => container.spawn(['cat']));
  for (const [n, child] of children.entries()) child.stdin.write(`${n}\n`);
  const first = await Promise.all(children.map((child) => child.lines().next()));
  expect(first.map(({ value }) => value)).toEqual(['0', '1', '2', '3']);
  for (const child of children) child.stdin.end();
  const results = await Promise.all(children.map((child) => child.exit));
  expect(results.map(({ path }) => path)).toEqual(['warm', 'cold', 'cold', 'cold']);
});

it('keeps Node alive until it has ended', async () => {
  const { runNode } = require('../support/node');
  const { IMAGE, address } = require('../support/engine');
  const options = { engine: address(), image: outside().image(IMAGE), poolSize: 0 };
  const source = `
    const Pool = require('scientist-pool');
    const pool = new Pool(${JSON.stringify(options)});
    pool.acquire().then((container) => {
      const child = container.spawn('import time; time.sleep(0.5); print("done")');
      child.stdout.pipe(process.stdout);
      child.exit.then(() => pool.shutdown());
    });`;
  expect(await runNode(source)).toMatchObject({ stdout: 'done\n', stderr: '', code: 0 });
});
