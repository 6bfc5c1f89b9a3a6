'use strict';

// What hostile scripts try on the local engine, and which fence each of them is stopped by. It needs root, as most
// fences are root's to take away. `npm run abuse -- --engine local` shows the same as a table.

const { ensureArchives, localImage } = require('../../harness/archives');
const { IMAGE, address } = require('../support/engine');
const { FENCES, LAUNCHERS, OF_ORDINARY_USERS, OPTIONS, isOpen } = require('./fences');
const { LocalSuite } = require('./local');
const { ALL, isLacking } = require('./probes');
const { SCENARIOS, localKit } = require('./scenarios');

/** These look at the control groups they are in, which the local engine shows to nobody. */
const BY_CONTROL_GROUPS = ['limits/processor', 'limits/swap'];
const expected = ({ name }) => (BY_CONTROL_GROUPS.includes(name) ? 'absent' : 'held');

const image = localImage(IMAGE);
const scenarios = SCENARIOS.filter(({ onDockerAlone }) => !onDockerAlone);
let suite;
let answers;

beforeAll(async () => {
  if (address() !== 'local') await ensureArchives({ env: { DOCKER_HOST: address() } }, [IMAGE]);
  suite = await LocalSuite.start(image);
  const [ours, host] = await Promise.all([suite.ours(), suite.host()]);
  const [ordinary, rooted] = await Promise.all([suite.ordinary(), suite.rooted()]);
  const named = await suite.named();
  const down = await suite.down();
  const almostDown = await suite.almostDown();
  answers = { ours, host, ordinary, rooted, named, down, almostDown };
}, 300_000);

afterAll(() => suite?.close());

/** The probes whose verdicts are not the ones that are wanted. */
const others = (found, wanted) =>
  Object.entries(found)
    .filter(([name, { verdict }]) => verdict !== wanted({ name }))
    .map(([name, { verdict, said }]) => `${name}: ${verdict}, ${said}`);

describe('containers stop', () => {
  test.each(ALL.filter(({ category }) => category !== 'host'))('$name: $tries', (probe) => {
    expect(answers.ours[probe.name]).toMatchObject({ verdict: expected(probe) });
  });

  test('all of them, and what looks for files of this machine, on the image host', () => {
    expect(others(answers.host, expected)).toEqual([]);
  });

  test.each(scenarios)('$name: $tries', async ({ run }) => {
    expect(await run('ours', localKit({ image }))).toMatchObject({ verdict: 'held' });
  });

  test('a script that is root, with all capabilities and no filter, where other fences stand', () => {
    const wanted = (probe) => {
      if (isLacking(probe)) return answers.rooted[probe.name].verdict;
      return isOpen(probe.name, suite.rootedFences) ? 'broken' : expected(probe);
    };
    expect(others(answers.rooted, wanted)).toEqual([]);
  });

  test('those of an ordinary user, but for what that user has no means against', () => {
    const wanted = (probe) => (OF_ORDINARY_USERS.includes(probe.name) ? 'broken' : expected(probe));
    expect(others(answers.ordinary, wanted)).toEqual([]);
  });
});

describe('without its fences it works', () => {
  const possible = ALL.filter((probe) => !isLacking(probe));

  test.each(possible)('$name', ({ name }) => {
    expect(answers.down[name]).toMatchObject({ verdict: 'broken' });
  });

  // The kernel of this machine was built without what these are after.
  test.each(ALL.filter(isLacking))('$name: not on this kernel', ({ name }) => {
    expect(answers.down[name].verdict).toMatch(/^(held|absent)$/);
  });

  test.each(scenarios)('$name', async ({ run }) => {
    expect(await run('weakened', localKit({ image }))).toMatchObject({ verdict: 'broken' });
  });

  test('and with any one of them it does not', () => {
    const through = answers.almostDown.filter(({ verdict }) => !/^(held|absent)$/.test(verdict));
    expect(through).toEqual([]);
  });
});

test('every probe has its fences, and every fence a probe', () => {
  expect(Object.keys(FENCES).sort()).toEqual(ALL.map(({ name }) => name).sort());
  const used = new Set(Object.values(FENCES).flat());
  expect([...used].sort()).toEqual([...Object.keys(OPTIONS), ...LAUNCHERS].sort());
});

test('no fence is down in the launcher that users have, whatever its folder is called', () => {
  expect(others(answers.named, expected)).toEqual([]);
});
