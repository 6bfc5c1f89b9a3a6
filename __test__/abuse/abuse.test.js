'use strict';

// What hostile scripts try, and that it does not work; and that it would, were the protection not there.
// `npm run abuse` shows the same as a table.

const { ensureArchives } = require('../../harness/archives');
const { docker } = require('../support/docker');
const { IMAGE, address } = require('../support/engine');
const { Host } = require('./host');
const { PROBES, isLacking, runProbes } = require('./probes');
const { SCENARIOS, kit } = require('./scenarios');

const context = { docker: docker(), engine: address(), image: IMAGE };

/** These look at the control groups they are in, which the local engine shows to nobody. */
const BY_CONTROL_GROUPS = ['limits/processor', 'limits/swap'];

let host;
const answers = {};

beforeAll(async () => {
  await ensureArchives({ env: { DOCKER_HOST: context.engine } }, [IMAGE]);
  host = await Host.start(context);
  for (const side of ['ours', 'local', 'weakened']) {
    answers[side] = await runProbes(host.containers[side], host.env);
  }
}, 120_000);

afterAll(() => host?.close());

describe('our containers stop', () => {
  test.each(PROBES)('$name: $tries', ({ name }) => {
    expect(answers.ours[name]).toMatchObject({ verdict: 'held' });
  });

  test.each(SCENARIOS)('$name: $tries', async ({ run }) => {
    expect(await run('ours', kit(context))).toMatchObject({ verdict: 'held' });
  });
});

describe('containers of the local engine stop', () => {
  test.each(PROBES)('$name: $tries', ({ name }) => {
    const verdict = BY_CONTROL_GROUPS.includes(name) ? 'absent' : 'held';
    expect(answers.local[name]).toMatchObject({ verdict });
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
