'use strict';

// The images of the engine local, in a store of this test's own.

const { execFileSync, spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { createInterface } = require('node:readline');

const { cli } = require('../support/cli');
const { ROOT } = require('../support/node');

const isLinux = process.platform === 'linux';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cli-images-'));
const env = { XDG_CACHE_HOME: path.join(folder, 'cache') };
const users = [];
afterEach(() => {
  for (const user of users.splice(0)) user.stdin.end();
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** An archive as `docker save` writes it, of an image with one file. */
function archive() {
  const file = path.join(folder, 'image.tar');
  const parts = path.join(folder, 'parts');
  fs.mkdirSync(parts, { recursive: true });
  const write = (name, text) => fs.writeFileSync(path.join(parts, name), text);
  write('file', 'x'.repeat(2_000_000));
  execFileSync('tar', ['-C', parts, '-cf', path.join(parts, 'layer.tar'), 'file']);
  const layer = fs.readFileSync(path.join(parts, 'layer.tar'));
  const digest = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  write('config.json', JSON.stringify({ rootfs: { diff_ids: [digest] } }));
  write('manifest.json', JSON.stringify([{ Config: 'config.json', Layers: ['layer.tar'] }]));
  const names = ['config.json', 'layer.tar', 'manifest.json'];
  execFileSync('tar', ['-C', parts, '-cf', file, ...names]);
  return `docker-archive:${file}`;
}

/** Has the store get an image, and uses it until its stdin ends. */
async function use(image) {
  const program = path.join(ROOT, 'scientist-pool-images');
  const stdio = ['pipe', 'pipe', 'inherit'];
  const user = spawn(program, ['pull', image, 'missing'], {
    env: { ...process.env, ...env },
    stdio,
  });
  users.push(user);
  for await (const line of createInterface({ input: user.stdout })) {
    if (JSON.parse(line).image !== undefined) return user;
  }
  throw new Error('the image was not got');
}

async function release(user) {
  user.stdin.end();
  await new Promise((resolve) => user.once('exit', resolve));
}

const on = ['--engine', 'local'];
const images = (...args) => cli(['images', ...on, ...args], { env });
const prune = (...args) => cli(['prune', '--images', ...on, ...args], { env });

(isLinux ? describe : describe.skip)('the images of the engine local', () => {
  test('are none at first', async () => {
    const stderr = 'no images of this package on this machine\n';
    expect(await images()).toEqual({ stdout: '', stderr, code: 0 });
  });

  test('are shown with their sizes, and whether they are used', async () => {
    const name = archive();
    const user = await use(name);
    const [head, row] = (await images()).stdout.split('\n');
    expect(head).toMatch(/^image +digest +size +age +in use$/);
    expect(row.replace(/ +/g, ' ')).toMatch(/ [0-9a-f]{12} 2\.0 MB \d+ (s|min) yes$/);
    await release(user);
    const [only] = JSON.parse((await images('--json')).stdout).images;
    expect(only).toMatchObject({ name, size: 2_000_000, inUse: false });
    expect(Math.abs(Date.parse(only.pulled) - Date.now())).toBeLessThan(60_000);
  });

  test('are pruned when nobody uses them, and somebody says yes', async () => {
    const user = await use(archive());
    const used = await prune('--yes');
    expect(used.stderr).toBe('no images of this package on this machine that are not in use\n');
    await release(user);
    expect((await prune()).stderr).toMatch(/^removed nothing; prune --images --yes/);
    expect((await prune('--yes')).stderr).toBe('removed 1 image, 2.0 MB from this machine\n');
    expect(JSON.parse((await images('--json')).stdout).images).toEqual([]);
  });
});

test('prune has no image to look for images with', async () => {
  const { stderr, code } = await cli(['prune', '--images', '--image', 'x']);
  expect(stderr).toContain('--images takes no --image');
  expect(code).toBe(2);
});
