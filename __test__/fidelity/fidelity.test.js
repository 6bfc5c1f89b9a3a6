'use strict';

/*
 * A script must not be able to tell the warm interpreter from `python3 -`.
 *
 * Every script of `corpus/` runs twice in containers of the same settings: as
 * the real `python3 - ...args`, its source on stdin, and through `execute(script, env, args)`. The
 * bytes of stdout and stderr and the exit code must be equal.
 *
 * A script prints nothing that is another the next time (process ids, addresses, times): it prints
 * a property of it instead. Lines `#: name value` tell how to run it (see `corpus/index.js`).
 * What legitimately differs is in `differences.js`, each with a test of what is promised instead.
 *
 * For work on one part of the corpus, SCIENTIST_POOL_TEST_FIDELITY_ONLY takes a regular expression
 * for the names of its scripts. With SCIENTIST_POOL_TEST_FIDELITY=reference the real python3 runs
 * on both sides, which shows a script that is not deterministic.
 */

const { ContainerPoolManager } = require('../..');
const { address, outside } = require('../support/engine.js');
const { corpus, item } = require('./corpus/index.js');
const differences = require('./differences.js');
const { referenceLike } = require('./reference.js');

const ALL_IMAGES = ['python:3.9-slim', 'python:3.11-slim', 'python:3.13-slim'];
/**
 * Docker is slower, and the interpreter that runs scripts is the same behind both engines: there the default
 * image is enough. `put-in-first.test.js` has all of them there.
 */
const IMAGES = outside().hasInit ? ALL_IMAGES : ALL_IMAGES.slice(0, 1);
/**
 * What the real python3 can't show on an engine with a process 1 of its own: as a command it is that one's child,
 * beside the interpreter that waits.
 */
const NOT_SHOWN = outside().hasInit
  ? ['signals/kill_everything', 'parent process', 'other processes']
  : [];
const AGAINST_ITSELF = process.env.SCIENTIST_POOL_TEST_FIDELITY === 'reference';
const ONLY = new RegExp(process.env.SCIENTIST_POOL_TEST_FIDELITY_ONLY ?? '');
/** Scripts under way at once on each side. */
const LANES = 2;
/** For all of one image. */
const PATIENCE = 900_000;
const SHOWN_BYTES = 2000;

const CORPUS = corpus();
const isShown = ({ name }) => !NOT_SHOWN.includes(name);
const CASES = CORPUS.filter(({ name }) => ONLY.test(name)).filter(isShown);
const DIFFERENCES = differences.filter(isShown).map((each) => ({
  ...each,
  name: `known difference: ${each.name}`,
}));

/** Two runs of it, in two containers, must have no line in common. */
const SEEDS = 'import random\nprint(hash("x"))\nprint(random.random())\nprint(id(object()))\n';

/** Both sides of every case, as `{ real, warm }` by name; a failure stands in place of a result. */
async function gather(pool, cases) {
  const results = Object.fromEntries(cases.map(({ name }) => [name, {}]));
  const reference = await referenceLike(pool);

  const inLanes = async (side, lanes) => {
    const queue = side.cases.values();
    const work = async (lane) => {
      for (const each of queue) {
        results[each.name][side.name] = await lane.run(each).catch((error) => error);
      }
      await lane.close();
    };
    await Promise.all(lanes.map(work));
  };
  const reals = () => Array.from({ length: LANES }, () => reference.another());
  const warm = { run: (each) => execute(pool, each), close: async () => {} };
  await Promise.all([
    inLanes({ name: 'real', cases }, reals()),
    // Backwards, so that a script can't lean on what another left in the same container.
    inLanes(
      { name: 'warm', cases: [...cases].reverse() },
      AGAINST_ITSELF ? reals() : Array(LANES).fill(warm),
    ),
  ]);
  return results;
}

async function execute(pool, { script, env, args }) {
  const container = await pool.acquire({ timeout: 120_000 });
  try {
    return await container.execute(script, env, args, {
      encoding: 'buffer',
      trim: false,
      timeout: 60_000,
      maxOutputBytes: 16 << 20,
    });
  } finally {
    await container.destroy();
  }
}

/** The two results as far as they are compared; of a stream that differs, the part that does. */
function views({ real, warm }, mask) {
  for (const side of [real, warm]) if (side instanceof Error) throw side;
  const masked = (bytes) => {
    const text = bytes.toString('latin1');
    return Buffer.from(
      mask.reduce((rest, each) => rest.replace(new RegExp(each, 'g'), '*'), text),
      'latin1',
    );
  };
  const view = { real: { exitCode: real.exitCode }, warm: { exitCode: warm.exitCode } };
  for (const stream of ['stdout', 'stderr']) {
    const [a, b] = [masked(real[stream]), masked(warm[stream])];
    if (a.equals(b)) continue;
    let at = 0;
    while (at < a.length && a[at] === b[at]) at += 1;
    const from = Math.max(0, at - SHOWN_BYTES / 4);
    view.real[stream] = a.subarray(from, from + SHOWN_BYTES).toString();
    view.warm[stream] = b.subarray(from, from + SHOWN_BYTES).toString();
    view.real[`${stream}Bytes`] = a.length;
    view.warm[`${stream}Bytes`] = b.length;
  }
  return view;
}

function text(result) {
  if (result instanceof Error) throw result;
  const { stdout, stderr, exitCode } = result;
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

test('the corpus has at least 220 scripts, each with a name of its own', () => {
  expect(CORPUS.length).toBeGreaterThanOrEqual(220);
  expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length);
});

describe.each(IMAGES)('%s', (image) => {
  const onWarm = AGAINST_ITSELF ? test.skip : test;
  let pool;
  let results;
  let forked;
  let seeds;

  beforeAll(async () => {
    pool = new ContainerPoolManager({
      image: outside().image(image),
      engine: address(),
      poolSize: LANES + 1,
      max: 3 * LANES,
    });
    const others = DIFFERENCES.map(({ name, script, settings }) =>
      item(name, script, { alone: true, ...settings }),
    );
    results = await gather(pool, [...CASES, ...others]);
    forked = pool.stats().template?.state === 'ready';
    seeds = { alone: [], any: [] };
    const booting = new ContainerPoolManager({
      image: outside().image(image),
      engine: address(),
      poolSize: 0,
      template: false,
    });
    for (const name of ['one', 'two']) {
      seeds.any.push(await execute(pool, item(name, SEEDS)));
      seeds.alone.push(await execute(booting, item(name, SEEDS)));
    }
    await booting.shutdown();
  }, PATIENCE);

  afterAll(() => pool?.shutdown({ grace: 0 }));

  test.each(CASES)('$name', ({ name, mask, cold }) => {
    const { real, warm } = views(results[name], mask);
    expect(warm).toEqual(real);
    if (!AGAINST_ITSELF) expect(results[name].warm.path).toBe(cold ? 'cold' : 'warm');
  });

  onWarm.each(DIFFERENCES)('$name', ({ name, promise }) => {
    promise({ real: text(results[name].real), warm: text(results[name].warm), forked });
  });

  onWarm.each([
    ['hash seed', 'alone', 0],
    ['random numbers', 'any', 1],
    ['addresses', 'alone', 2],
  ])('two containers share no %s', (_, of, line) => {
    // Forks of one template do share what they are not `alone` with.
    const [one, two] = seeds[of].map((result) => text(result).stdout.split('\n')[line]);
    expect(one).not.toEqual(two);
  });
});
