'use strict';

const { FakeEngine } = require('scientist-pool/testing');
const ContainerPoolManager = require('scientist-pool');

let engine;
let pool;
let container;
beforeEach(async () => {
  engine = await FakeEngine.start();
  pool = new ContainerPoolManager({ engine: engine.address, poolSize: 1 });
  container = await pool.acquire();
});
afterEach(async () => {
  await pool.shutdown({ grace: 0 });
  await engine.assertEmpty();
  await engine.close();
});

async function linesOf(child, options) {
  const lines = [];
  for await (const line of child.lines(options)) lines.push(line);
  return lines;
}

test('a spawned script gives what its reply says', async () => {
  engine.reply('import tool', { stdout: 'a\nb', stderr: 'c', exitCode: 2 });
  const child = container.spawn('import tool');
  expect(await Promise.all([linesOf(child), linesOf(child, { from: 'stderr' })])).toEqual([
    ['a', 'b'],
    ['c'],
  ]);
  expect(await child.exit).toMatchObject({ exitCode: 2 });
});

test('a spawned command begins at once, whatever becomes of its stdin', async () => {
  engine.reply('ls', { stdout: 'file' });
  const child = container.spawn(['ls']);
  expect(await linesOf(child)).toEqual(['file']);
  expect(await child.exit).toMatchObject({ exitCode: 0 });
  expect((await container.execute(['ls'])).stdout).toBe('file');
});

test('so does one beside another call', async () => {
  let end;
  const ended = new Promise((resolve) => {
    end = resolve;
  });
  engine.reply('first', () => ended);
  engine.reply('ls', { stdout: 'file' });
  const first = container.execute('first');
  const child = container.spawn(['ls']);
  expect(await linesOf(child)).toEqual(['file']);
  expect(await child.exit).toMatchObject({ exitCode: 0, path: 'cold' });
  end({});
  await first;
});

test('a reply can read what is written to it, as it comes', async () => {
  engine.reply('cat', async ({ input, write }) => {
    for await (const chunk of input) write('stdout', chunk);
    return { exitCode: 7 };
  });
  const child = container.spawn(['cat']);
  const lines = child.lines();
  child.stdin.write('a\n');
  expect((await lines.next()).value).toBe('a');
  child.stdin.end('b\n');
  expect((await lines.next()).value).toBe('b');
  expect(await child.exit).toMatchObject({ exitCode: 7 });
});

test('one that never ends can be killed', async () => {
  engine.reply('sleep', { reason: 'timeout' });
  const child = container.spawn(['sleep', '60']);
  child.kill();
  expect(await child.exit).toMatchObject({ reason: 'signal', signal: 'SIGKILL' });
});
