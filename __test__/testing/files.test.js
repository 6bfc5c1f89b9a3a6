'use strict';

const { useFakePool } = require('../support/fake-bench');

const bench = useFakePool({ poolSize: 1 });

test('what is written can be read, and shows in the container', async () => {
  const container = await bench.pool.acquire();
  const big = Buffer.alloc(5 * 1024 ** 2, 'x');
  await container.writeFiles({ 'in/a.txt': 'a', 'in/b/c.txt': 'c', big });
  expect(await container.readFile('in/a.txt', 'utf8')).toBe('a');
  expect((await container.readFile('big')).equals(big)).toBe(true);
  const files = await container.readFiles('in/**', { encoding: 'utf8' });
  expect({ ...files }).toEqual({ 'in/a.txt': 'a', 'in/b/c.txt': 'c' });
  const { files: there } = bench.engine.containers.find(({ id }) => id === container.id);
  expect([...there.keys()]).toEqual(['in/a.txt', 'in/b/c.txt', 'big']);
});

test('a reply leaves files, or sees to those there are', async () => {
  bench.engine.reply('report', { files: { 'out/r.csv': '1,2', skipped: '' } });
  bench.engine.reply('double', ({ container: { files } }) => {
    files.set('b', `${files.get('a')}${files.get('a')}`);
    return {};
  });
  const report = await bench.pool.run('report()', { collect: 'out/*.csv' });
  expect({ ...report.files }).toEqual({ 'out/r.csv': Buffer.from('1,2') });
  const doubled = await bench.pool.run('double()', { files: { a: 'x' }, collect: 'b' });
  expect(String(doubled.files.b)).toBe('xx');
});

test('what is not there, and what is too much, is an error as of a real container', async () => {
  const container = await bench.pool.acquire();
  await container.writeFiles({ f: '12345' });
  await expect(container.readFile('none')).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
    path: 'none',
    errno: 'ENOENT',
  });
  const much = { code: 'FILE_LIMIT' };
  await expect(container.readFile('f', { maxBytes: 4 })).rejects.toMatchObject(much);
  await expect(container.readFiles('*', { maxBytes: 4 })).rejects.toMatchObject(much);
  await expect(container.readFiles('*', { maxFiles: 0 })).rejects.toMatchObject(much);
});

test('files are reached while a job runs', async () => {
  let end;
  bench.engine.run = () => new Promise((resolve) => (end = () => resolve({ stdout: 'over' })));
  const container = await bench.pool.acquire();
  const running = container.execute('1');
  await container.writeFiles({ f: 'x' });
  expect(await container.readFile('f', 'utf8')).toBe('x');
  end();
  expect(await running).toMatchObject({ stdout: 'over' });
  expect(bench.engine.calls).toHaveLength(1);
});

test('a container that dies takes its files with it', async () => {
  const container = await bench.pool.acquire();
  bench.engine.containers.find(({ id }) => id === container.id).die();
  await expect(container.readFile('f')).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
});
