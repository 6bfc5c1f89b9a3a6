'use strict';

// The local engine's images have no room, or are damaged. What is the matter is said, nothing half-made stays, and
// the next try works (invariants 4, 6).

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { NO_PYTHON, outside } = require('../support/engine');
const { Children } = require('../support/children');

const children = new Children();
let caches;
beforeEach(() => {
  caches = fs.mkdtempSync(path.join(os.tmpdir(), 'caches-'));
});
afterEach(async () => {
  await children.end();
  fs.rmSync(caches, { recursive: true, force: true });
});

const isOnLocal = !outside().keepsImages;
const store = (part) => path.join(caches, 'scientist-pool/images', part);
const image = () => outside().image(NO_PYTHON);

/** How a new process fares that wants a container of the image: the error, or `null`. */
async function run() {
  const options = { image: image(), poolSize: 1 };
  const child = await children.start(options, { env: { XDG_CACHE_HOME: caches } });
  const error = await child.ask('initialize').then(
    () => null,
    (failure) => failure,
  );
  await child.kill('SIGKILL');
  return error;
}

(isOnLocal && process.getuid() === 0 ? describe : describe.skip)('a store without room', () => {
  const mount = (...args) => execFileSync('mount', ['-t', 'tmpfs', ...args, 'none', caches]);
  afterEach(() => execFileSync('umount', ['--lazy', caches]));

  it.each([
    ['bytes', ['size=256k', 'size=64m'], /No space left.*scientist-pool\/images has 0 of 0 MiB/],
    ['inodes', ['nr_inodes=12', 'nr_inodes=4k'], /No space left.*all 12 inodes are in use/],
  ])(
    'says that it is out of %s, leaves nothing, and takes the image when there is room',
    async (_, [few, many], said) => {
      mount('-o', few);
      expect(await run()).toMatchObject({
        code: 'IMAGE_PULL_FAILED',
        message: expect.stringMatching(said),
      });
      for (const part of ['trees', 'images', 'blobs', 'tmp']) {
        expect([part, fs.readdirSync(store(part))]).toEqual([part, []]);
      }
      execFileSync('mount', ['-o', `remount,${many}`, caches]);
      expect(await run()).toBeNull();
    },
  );
});

(isOnLocal ? describe : describe.skip)('a store that is damaged', () => {
  const tree = () => path.join(store('trees'), fs.readdirSync(store('trees'))[0]);
  const shell = () => path.join(tree(), 'root/bin/busybox');

  it.each([
    ['a file is missing', () => fs.rmSync(shell())],
    ['a file is cut off', () => fs.truncateSync(shell(), 1000)],
    ['the sum of a tree is garbage', () => fs.writeFileSync(path.join(tree(), 'sum.json'), '{')],
    ['a tree is empty', () => fs.rmSync(path.join(tree(), 'root'), { recursive: true })],
  ])('is mended where %s', async (_, damage) => {
    expect(await run()).toBeNull();
    const { size } = fs.statSync(shell());
    damage();
    expect(await run()).toBeNull();
    expect(fs.statSync(shell()).size).toBe(size);
    expect(fs.readdirSync(store('tmp'))).toEqual([]);
  });

  it('is mended where the note of an image is garbage', async () => {
    expect(await run()).toBeNull();
    const [note] = fs.readdirSync(store('images'));
    fs.writeFileSync(path.join(store('images'), note), '\0');
    expect(await run()).toBeNull();
    expect(JSON.parse(fs.readFileSync(path.join(store('images'), note))).name).toBe(image());
  });
});
