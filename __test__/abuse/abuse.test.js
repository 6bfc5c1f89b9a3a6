'use strict';

// What hostile scripts try, and that it does not work; and that it would, were the protection not there.
// `npm run abuse` shows the same as a table. The local engine's part is in local.test.js.

const { docker } = require('../support/docker');
const { IMAGE, address } = require('../support/engine');
const { Host } = require('./host');
const { PROBES, isLacking, runProbes } = require('./probes');
const { SCENARIOS, kit } = require('./scenarios');

const context = { docker: docker(), engine: address(), image: IMAGE };

let host;
const answers = {};

beforeAll(async () => {
  host = await Host.start(context);
  for (const side of ['ours', 'weakened']) {
    answers[side] = await runProbes(host.containers[side], host.env);
  }
});

afterAll(() => host?.close());

describe('our containers stop', () => {
  test.each(PROBES)('$name: $tries', ({ name }) => {
    expect(answers.ours[name]).toMatchObject({ verdict: 'held' });
  });

  test.each(SCENARIOS)('$name: $tries', async ({ run }) => {
    expect(await run('ours', kit(context))).toMatchObject({ verdict: 'held' });
  });
});

describe('without protection it works', () => {
  const possible = PROBES.filter((probe) => !isLacking(probe));

  test.each(possible)('$name', ({ name }) => {
    expect(answers.weakened[name]).toMatchObject({ verdict: 'broken' });
  });

  test.each(SCENARIOS)('$name', async ({ run }) => {
    expect(await run('weakened', kit(context))).toMatchObject({ verdict: 'broken' });
  });

  // The kernel of this machine was built without what these are after.
  test.each(PROBES.filter(isLacking))('$name: not on this kernel', ({ name }) => {
    expect(answers.weakened[name].verdict).toMatch(/^(held|absent)$/);
  });
});
