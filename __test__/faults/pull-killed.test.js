'use strict';

// The process that gets an image on the local engine, the program that puts it into the store for it, or both
// are killed half-way. Nothing runs on, and what they had made so far is removed by the next who opens the store.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { IMAGE, outside, until } = require('../support/engine');
const { Children } = require('../support/children');
const { ROOT } = require('../support/node');
const { processes } = require('../../harness/processes');

const children = new Children();
let caches;
beforeEach(() => {
  caches = fs.mkdtempSync(path.join(os.tmpdir(), 'caches-'));
});
afterEach(async () => {
  await children.end();
  fs.rmSync(caches, { recursive: true, force: true });
});

const env = () => ({ XDG_CACHE_HOME: caches });
const halfMade = () => {
  const folder = path.join(caches, 'scientist-pool/images/tmp');
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
};

/** The program that gets the image for a process; `undefined` if it has ended. */
const program = (parent) =>
  processes().find(
    (each) => each.parent === parent && each.command.includes('scientist-pool-images'),
  );
const runs = ({ pid, started }) =>
  processes().some((each) => each.pid === pid && each.started === started);

/** A process that is half-way in getting an image into a store of its own, and the call that waits for it. */
async function halfWay(more = {}) {
  const options = { image: outside().image(IMAGE), poolSize: 1, ...more };
  const child = await children.start(options, { env: env() });
  const call = child.ask('initialize').catch((error) => error);
  const getting = await until(() => halfMade().length > 0 && program(child.pid));
  return { child, call, getting };
}

function nextHasNone() {
  const images = spawnSync(process.execPath, [path.join(ROOT, 'bin/scientist-pool.js'), 'images'], {
    env: { ...process.env, ...outside().env, ...env() },
    encoding: 'utf8',
  });
  expect(images.status).toBe(0);
  expect(halfMade()).toEqual([]);
}

(outside().hasInit ? describe : describe.skip)('half-way to an image', () => {
  it('the process is killed', async () => {
    const { child, getting } = await halfWay();
    await child.kill('SIGKILL');
    await until(() => !runs(getting), 2000);
    nextHasNone();
  });

  it('the process is killed while the program is stopped', async () => {
    const { child, getting } = await halfWay();
    process.kill(getting.pid, 'SIGSTOP');
    await child.kill('SIGKILL');
    await until(() => !runs(getting), 2000);
    nextHasNone();
  });

  it('both are killed at once', async () => {
    const { child, getting } = await halfWay();
    process.kill(getting.pid, 'SIGKILL');
    await child.kill('SIGKILL');
    nextHasNone();
  });

  it('the program is killed: the call says so, and the next one gets the image', async () => {
    const { child, call, getting } = await halfWay();
    process.kill(getting.pid, 'SIGKILL');
    expect(await call).toMatchObject({
      code: 'IMAGE_PULL_FAILED',
      message: expect.stringContaining(outside().image(IMAGE)),
    });
    expect(await child.ask('run', 'print(6 * 7)')).toBe('42');
    expect(halfMade()).toEqual([]);
  });

  it('a stopped program ends with the call that no longer waits for it', async () => {
    const { call, getting } = await halfWay({ pullTimeout: 1000 });
    process.kill(getting.pid, 'SIGSTOP');
    expect(await call).toMatchObject({ message: expect.stringContaining('pullTimeout') });
    await until(() => !runs(getting), 2000);
  });
});
