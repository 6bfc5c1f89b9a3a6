'use strict';

// The image that is not there yet: what the command line says while it is pulled.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { main } = require('../../cli/main');
const { CALLS, useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cli-pull-'));
const script = path.join(folder, 'tool.py');
fs.writeFileSync(script, 'print("the tool")');
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const image = 'python:3.9-tools';

/** A pull of two layers that ends as told. */
const pull = (last) => (call) => {
  const step = (id, status, current, total) => ({
    ...{ id, status },
    ...(total && { progressDetail: { current, total } }),
  });
  call.begin(200);
  call.report(
    step('3.9-tools', 'Pulling from library/python'),
    step('a', 'Downloading', 1 << 20, 4 << 20),
    step('b', 'Downloading', 1 << 20, 1 << 20),
    step('a', 'Download complete'),
    step('a', 'Extracting', 4 << 20, 4 << 20),
    last,
  );
  bench.engine.images.add(image);
  call.end();
};
const pulled = pull({ status: `Status: Downloaded newer image for ${image}` });

/** Runs a command line on streams of which stderr may be a terminal. */
async function perform(args, terminal) {
  const written = { stdout: '', stderr: '' };
  const stream = (name, more) => ({
    write: (text) => {
      written[name] += text;
      return true;
    },
    ...more,
  });
  const named = args[0] === 'pull' ? [] : ['--image', image];
  const code = await main([...args, '--engine', bench.engine.address, ...named], {
    stdout: stream('stdout'),
    stderr: stream('stderr', terminal),
    env: {},
  });
  return { code, ...written };
}

/** What stood on the line of a terminal, one after the other. */
const linesOf = (text) => text.split('\x1b[1G\x1b[2K').slice(1);

beforeEach(() => {
  bench.engine.reply('scientist-pool doctor', { exitCode: 1, stderr: 'no answer' });
  bench.engine.on(CALLS.PULL, pulled, { times: 1 });
});

test.each(['run', 'doctor'])('%s shows on a terminal how far the pull is', async (command) => {
  const args = command === 'run' ? ['run', script] : [command];
  const { stderr } = await perform(args, { isTTY: true, columns: 80 });
  expect(linesOf(stderr)).toEqual([
    `pulling ${image}: 1.0 of 4.0 MiB`,
    `pulling ${image}: 2.0 of 5.0 MiB`,
    ...Array(2).fill(`pulling ${image}: 5.0 of 5.0 MiB`),
    '',
  ]);
});

test('off a terminal it is said once', async () => {
  const { stderr } = await perform(['run', script], {});
  expect(stderr).toBe(`scientist-pool: pulling ${image}\n`);
});

test('the line is wiped where the pull fails, before the error is told', async () => {
  bench.engine.off(CALLS.PULL).on(CALLS.PULL, pull({ error: 'the disk is full' }));
  const { code, stderr } = await perform(['run', script], { isTTY: true, columns: 30 });
  expect(linesOf(stderr).at(-2)).toHaveLength(29);
  expect(linesOf(stderr).at(-1)).toMatch(/^scientist-pool: .*the disk is full/);
  expect(code).toBe(125);
});

test('nothing is said of an image that is there', async () => {
  bench.engine.images.add(image);
  expect((await perform(['run', script], { isTTY: true })).stderr).toBe('');
});

test('pull gets an image that is there already, and says where it is', async () => {
  bench.engine.images.add(image);
  const { code, stderr } = await perform(['pull', image], {});
  expect(stderr.split('\n')).toEqual([
    `scientist-pool: pulling ${image}`,
    `${image} is there, on ${bench.engine.address}`,
    '',
  ]);
  expect(code).toBe(0);
});

test('pull fails where the image could not be had', async () => {
  bench.engine.off(CALLS.PULL).on(CALLS.PULL, pull({ error: 'the disk is full' }));
  const { code, stderr } = await perform(['pull', image], {});
  expect(stderr).toContain('the disk is full');
  expect(code).toBe(125);
});

test('pull wants one image', async () => {
  for (const args of [['pull'], ['pull', 'one', 'two']]) {
    expect((await perform(args, {})).code).toBe(2);
  }
});
