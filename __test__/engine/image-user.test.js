'use strict';

// What an image says of whom its programs run as, and where.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { derive } = require('../support/derived-image');
const { NO_PYTHON, Pools, outside } = require('../support/engine');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-user-'));
const pools = new Pools();
const taken = [];
afterEach(pools.close);
afterAll(async () => {
  for (const image of taken) await image.forget();
  fs.rmSync(folder, { recursive: true });
});

/** An image with a user of its own, that says this of itself; gives the option `image`. */
async function image(label, says) {
  const own = path.join(folder, label);
  fs.mkdirSync(own);
  const name = `scientist-pool-test-${label}:latest`;
  const files = {
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/srv/home:/bin/sh\n',
    'etc/group': 'root:x:0:\ntools:x:2000:\n',
    'srv/app/file': '',
    'srv/home/file': '',
  };
  const archive = derive(own, { name, base: NO_PYTHON, files, says });
  taken.push(await outside().takeImage(archive, name));
  return taken.at(-1).image;
}

/** Who and where a command is, and where it is at home. */
async function saidIn(options) {
  const pool = pools.make({ poolSize: 1, ...options });
  const container = await pool.acquire();
  const script = 'echo $(id -u) $(id -g) $(pwd) $HOME';
  const { stdout } = await container.execute(['sh', '-c', script]);
  const { stdout: elsewhere } = await container.execute(['pwd'], { cwd: '/bin' });
  expect(elsewhere).toBe('/bin\n');
  return stdout.trim();
}

describe('an image with a user by name, and a working directory', () => {
  let app;
  beforeAll(async () => {
    app = await image('app', { User: 'app', WorkingDir: '/srv/app' });
  });

  it('has both where user is null', async () => {
    expect(await saidIn({ image: app, user: null })).toBe('1000 1001 /srv/app /srv/home');
  });

  it('has neither by default', async () => {
    expect(await saidIn({ image: app })).toBe('65534 65534 /tmp /tmp');
  });

  it('has the users that it names for the option too', async () => {
    expect(await saidIn({ image: app, user: 'app:tools' })).toBe('1000 2000 /tmp /tmp');
    expect(await saidIn({ image: app, user: '1000' })).toBe('1000 1001 /tmp /tmp');
  });

  it('says which user it has not', async () => {
    const pool = pools.make({ image: app, user: 'ghost', poolSize: 1 });
    await expect(pool.initialize()).rejects.toThrow(/ghost/);
  });
});

test('an image that says nothing is root at the root of its files, where user is null', async () => {
  const plain = await image('plain', { User: '', WorkingDir: '' });
  expect(await saidIn({ image: plain, user: null })).toBe('0 0 / /root');
});

test('a user that the image names and has not is told', async () => {
  const ghost = await image('ghost', { User: 'ghost' });
  const pool = pools.make({ image: ghost, user: null, poolSize: 1 });
  await expect(pool.initialize()).rejects.toThrow(/ghost/);
});
