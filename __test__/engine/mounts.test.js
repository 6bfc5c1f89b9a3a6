'use strict';

// Files and folders of this machine that are shown in containers.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { ContainerPoolManager } = require('../..');
const { Pools, outside } = require('../support/engine');

const pools = new Pools();
let folder;
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'mounts-')));
  fs.chmodSync(folder, 0o755);
  fs.writeFileSync(path.join(folder, 'data.csv'), 'a,b\n1,2\n');
});
afterEach(async () => {
  await pools.close();
  fs.rmSync(folder, { recursive: true });
});

const shown = (mount, options) => pools.make({ poolSize: 1, mounts: [mount], ...options });

/** What becomes of each, tried in a container. */
const TRY = `
import os, sys
def tried(what):
    try:
        what()
        return 'done'
    except OSError as error:
        return os.strerror(error.errno)
print(tried(lambda: open('/data/new', 'w')), tried(lambda: open('/data/data.csv', 'a')),
      tried(lambda: os.remove('/data/data.csv')), sep='; ')`;

test.each([[true], [false]])('a folder is there with its files; forked: %s', async (template) => {
  const pool = shown({ source: folder, target: '/data' }, { template });
  await pool.initialize();
  for (let round = 0; round < 3; round++) {
    const { stdout } = await pool.run('print(open("/data/data.csv").read())');
    expect(stdout).toBe('a,b\n1,2');
  }
});

test('a file is, too, in a folder that the image does not have', async () => {
  const source = path.join(folder, 'data.csv');
  const pool = shown({ source, target: '/srv/of/ours/table.csv' });
  const { stdout } = await pool.run(['cat', '/srv/of/ours/table.csv']);
  expect(stdout).toBe('a,b\n1,2\n');
});

test('what is written to the folder afterwards is seen, and so is what others have of it', async () => {
  const pool = shown({ source: folder, target: '/data' });
  await pool.initialize();
  fs.writeFileSync(path.join(folder, 'later'), 'later');
  expect((await pool.run('print(open("/data/later").read())')).stdout).toBe('later');
});

test('nothing in it can be written to, whoever owns it', async () => {
  for (const name of ['', 'data.csv']) fs.chmodSync(path.join(folder, name), 0o777);
  const { stdout } = await shown({ source: folder, target: '/data' }).run(TRY);
  expect(stdout).toBe(Array(3).fill('Read-only file system').join('; '));
  expect(fs.readdirSync(folder)).toEqual(['data.csv']);
});

test('with readOnly: false it can, where the user of scripts may', async () => {
  for (const name of ['', 'data.csv']) fs.chmodSync(path.join(folder, name), 0o777);
  const { stdout } = await shown({ source: folder, target: '/data', readOnly: false }).run(TRY);
  expect(stdout).toBe('done; done; done');
  expect(fs.readdirSync(folder)).toEqual(['new']);
});

test('with readOnly: false it can not where that user may not', async () => {
  // Of a user that is not the one of scripts, whoever runs this.
  fs.chmodSync(folder, 0o555);
  fs.chmodSync(path.join(folder, 'data.csv'), 0o444);
  const { stdout } = await shown({ source: folder, target: '/data', readOnly: false }).run(TRY);
  expect(stdout).toBe(Array(3).fill('Permission denied').join('; '));
  fs.chmodSync(folder, 0o755);
});

test('a link in it leads to what the container has there, or nowhere', async () => {
  const outside = fs.mkdtempSync(path.join(os.tmpdir(), 'outside-'));
  try {
    fs.chmodSync(outside, 0o755);
    fs.writeFileSync(path.join(outside, 'secret'), 'secret');
    fs.symlinkSync(path.join(outside, 'secret'), path.join(folder, 'link'));
    const pool = shown({ source: folder, target: '/data' });
    const { stdout } = await pool.run('import os; print(os.path.exists("/data/link"))');
    expect(stdout).toBe('False');
  } finally {
    fs.rmSync(outside, { recursive: true });
  }
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('what is mounted below the folder is not shown', async () => {
  const below = path.join(folder, 'below');
  fs.mkdirSync(below);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', below]);
  try {
    fs.writeFileSync(path.join(below, 'hidden'), '');
    const { stdout } = await shown({ source: folder, target: '/data' }).run(
      'import os; print(os.listdir("/data/below"))',
    );
    expect(stdout).toBe('[]');
  } finally {
    execFileSync('umount', [below]);
  }
});

test('one that has become a link since the pool was made is not followed', async () => {
  const source = path.join(folder, 'swapped');
  fs.mkdirSync(source);
  const pool = shown({ source, target: '/data' }, { poolSize: 0 });
  fs.rmdirSync(source);
  fs.symlinkSync('/etc', source);
  const call = pool.run('import os; print("passwd" in os.listdir("/data"))');
  if (outside().followsLinks) {
    // Docker's daemon opens the path, and nobody can have it look again.
    expect((await call).stdout).toBe('True');
  } else {
    await expect(call).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      message: expect.stringContaining(source),
    });
  }
});

test('one that is gone is an error that names it', async () => {
  const source = path.join(folder, 'gone');
  fs.mkdirSync(source);
  const pool = shown({ source, target: '/data' }, { poolSize: 0 });
  fs.rmdirSync(source);
  await expect(pool.acquire()).rejects.toMatchObject({
    code: 'ENGINE_ERROR',
    message: expect.stringContaining(source),
  });
});

test('container.security says what is mounted', async () => {
  const mount = { source: folder, target: '/data' };
  const container = await shown(mount).acquire();
  expect(container.security.mounts).toEqual([{ ...mount, readOnly: true }]);
});

test('an engine by way of the network has other files', () => {
  const mounts = [{ source: folder, target: '/data' }];
  expect(() => new ContainerPoolManager({ engine: 'tcp://127.0.0.1:2375', mounts })).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('tcp://127.0.0.1:2375'),
    }),
  );
});
