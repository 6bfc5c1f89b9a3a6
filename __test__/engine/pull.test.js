'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');

const { NO_PYTHON, Pools, outside } = require('../support/engine');

const REGISTRY = process.env.SCIENTIST_POOL_TEST_REGISTRY;
const PRIVATE = process.env.SCIENTIST_POOL_TEST_PRIVATE_REGISTRY;

const pools = new Pools();
afterEach(pools.close);

const forget = (image) => outside().removeImage(image);

describe('an image that is not there', () => {
  const image = `${REGISTRY}/layered:latest`;
  beforeEach(() => forget(image));
  afterAll(() => forget(image));

  it('is pulled once for all pools that want it, with progress by layer and bytes', async () => {
    const before = new Set();
    const steps = [];
    const two = [pools.make({ image, poolSize: 1 }), pools.make({ image, poolSize: 1 })];
    for (const pool of two) {
      pool.on('pull', (step) => {
        steps.push(step);
        before.add(pool);
      });
    }
    await Promise.all(two.map((pool) => pool.initialize()));
    expect(before.size).toBe(2);
    const sized = steps.filter(({ layer, total }) => layer && total > 0);
    expect(new Set(sized.map(({ layer }) => layer)).size).toBeGreaterThanOrEqual(4);
    expect(sized.every(({ current, total }) => current <= total)).toBe(true);
    expect(steps.every((step) => step.image === image)).toBe(true);
  });

  it("is not pulled where pull is 'never', and the error says what to do", async () => {
    const pool = pools.make({ image, poolSize: 1, pull: 'never' });
    await expect(pool.initialize()).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND', image });
  });
});

describe('an image that nobody has', () => {
  const itKeeps = outside().keepsImages ? it : it.skip;
  itKeeps('is named, and the next try works when it is there', async () => {
    const image = `${REGISTRY}/later:latest`;
    const pool = pools.make({ image, poolSize: 1 });
    await expect(pool.initialize()).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND', image });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND', image });
    await outside().tagImage(NO_PYTHON, image);
    await pool.initialize();
    await forget(image);
  });

  it('is another error where no registry answers', async () => {
    const image = '127.0.0.1:1/nobody:latest';
    const pool = pools.make({ image, poolSize: 1 });
    await expect(pool.initialize()).rejects.toMatchObject({ code: 'IMAGE_PULL_FAILED', image });
  });
});

describe('a registry that asks who is there', () => {
  const image = `${PRIVATE}/secret:latest`;
  const user = process.env.SCIENTIST_POOL_TEST_PRIVATE_REGISTRY_USER;
  const password = process.env.SCIENTIST_POOL_TEST_PRIVATE_REGISTRY_PASSWORD;

  let folder;
  beforeEach(async () => {
    await forget(image);
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'docker-config-'));
  });
  afterEach(async () => {
    fs.rmSync(folder, { recursive: true });
    await forget(image);
  });

  /** Warms a pool of the image up under this Docker config file; gives what came of it. */
  async function warmUp(config) {
    fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
    const program = path.join(__dirname, '..', 'support', 'programs', 'pull.js');
    const env = { ...process.env, DOCKER_CONFIG: folder, PATH: `${folder}:${process.env.PATH}` };
    const { stdout } = await promisify(execFile)(process.execPath, [program, image], { env });
    return stdout.trim();
  }

  it('gets the credentials of the Docker config file', async () => {
    const auth = Buffer.from(`${user}:${password}`).toString('base64');
    expect(await warmUp({ auths: { [PRIVATE]: { auth } } })).toBe('warm');
  });

  it('gets those of a credential helper', async () => {
    const helper = path.join(folder, 'docker-credential-test');
    const answer = JSON.stringify({ ServerURL: PRIVATE, Username: user, Secret: password });
    fs.writeFileSync(helper, `#!/bin/sh\ncat > /dev/null\necho '${answer}'\n`, { mode: 0o755 });
    expect(await warmUp({ credHelpers: { [PRIVATE]: 'test' } })).toBe('warm');
  });

  it('refuses the rest, with the image named', async () => {
    expect(await warmUp({})).toBe(`IMAGE_PULL_FAILED ${image}`);
  });
});
