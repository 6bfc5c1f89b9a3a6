'use strict';

// npx jest examples/jest: the tools of `tools.js` on an engine that does as it is told.

const ContainerPoolManager = require('scientist-pool');
const { FakeEngine } = require('scientist-pool/testing');

const { callTool, callToolSafely } = require('./tools');

const tool = { source: 'import planets; planets.main()' };

let engine;
beforeAll(async () => {
  engine = await FakeEngine.start();
  // `tools.js` makes its pool itself, and isn't told where its engine is.
  engine.install();
});
afterEach(async () => {
  await engine.assertNoLeases(ContainerPoolManager.getInstance());
  engine.reset();
});
afterAll(async () => {
  await ContainerPoolManager.getInstance().shutdown();
  ContainerPoolManager.instance = null; // for the next file, where files share their modules
  await engine.assertEmpty();
  await engine.close();
});

test('gets its input, and its answer is passed on', async () => {
  engine.reply('planets', ({ env }) => {
    const { name } = JSON.parse(env.TOOL_INPUT);
    return { stdout: JSON.stringify({ name, moons: 2 }) };
  });
  expect(await callTool(tool, { name: 'Mars' })).toEqual({ name: 'Mars', moons: 2 });
});

test('that crashes is an error with its last words', async () => {
  engine.reply('planets', { stderr: 'Traceback …\nKeyError: name', exitCode: 1 });
  await expect(callTool(tool, {})).rejects.toThrow('the tool failed: KeyError: name');
});

test('that never ends is an error', async () => {
  engine.reply('planets', { reason: 'timeout' });
  const hasty = { ...tool, timeout: 50 };
  await expect(callTool(hasty, {})).rejects.toThrow('the tool was ended: timeout');
});

test('that uses up the memory is an error', async () => {
  engine.reply('planets', { reason: 'oom' });
  await expect(callTool(tool, {})).rejects.toThrow('the tool was ended: oom');
});

test('is called again where its container was lost', async () => {
  engine.reply('planets', { reason: 'lost' }, { times: 2 }).reply('planets', { stdout: '{}' });
  expect(await callToolSafely(tool, {})).toEqual({});
  expect(engine.calls).toHaveLength(3);
});

test('is given up after three lost containers', async () => {
  engine.reply('planets', { reason: 'lost' });
  await expect(callToolSafely(tool, {})).rejects.toMatchObject({ code: 'CONTAINER_LOST' });
  expect(engine.calls).toHaveLength(3);
});
