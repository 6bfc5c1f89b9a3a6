'use strict';

const { measure } = require('../../bench/measure');
const { textOf } = require('../../bench/markdown');
const { jsonOf, reportOf } = require('../../bench/report');
const { example } = require('./example');

const show = () => ({ update() {} });

/** Measures one scenario that is made of `run` alone. */
async function measured(run, { stop = new AbortController(), rounds = 3 } = {}) {
  const scenario = {
    name: 'example',
    method: 'As in the test.',
    rounds,
    warmUp: 1,
    seconds: 1,
    metrics: { call: 'one call' },
    run,
  };
  const options = { minutes: 1, scenarios: [scenario], sides: ['scientist-pool'], n: null };
  return measure({ signal: stop.signal }, options, show);
}

describe('a scenario', () => {
  test('rounds of the warm-up leave no samples', async () => {
    const { results } = await measured(async ({ rounds, record }) => {
      for await (const round of rounds()) record(round, 'call', 'floor', round);
    });
    expect(results.get('example').get('call').get('floor')).toEqual([0, 1, 2]);
  });

  test('a failed call is counted with what it said, and does not end the scenario', async () => {
    const { runs, results, failures } = await measured(async ({ rounds, attempt }) => {
      for await (const round of rounds()) {
        const value = await attempt(round, 'call', 'floor', async () => {
          if (round === 1) throw new Error('container 0123456789abcdef is gone\nand more');
          return 'done';
        });
        expect(value).toBe(round === 1 ? undefined : 'done');
      }
    });
    expect(runs[0].error).toBeNull();
    expect(results.get('example').get('call').get('floor')).toHaveLength(2);
    expect(failures.get('example').get('call').get('floor')).toEqual(['container … is gone']);
  });

  test('a call that fails because all is stopped is no failed call', async () => {
    const stop = new AbortController();
    const { runs, failures } = await measured(
      async ({ rounds, attempt }) => {
        for await (const round of rounds()) {
          await attempt(round, 'call', 'floor', async () => {
            stop.abort(new Error('stopped'));
            throw new Error('gone');
          });
        }
      },
      { stop },
    );
    expect(runs[0].error.message).toBe('stopped');
    expect(failures.get('example').size).toBe(0);
  });
});

describe('the minutes of a run', () => {
  const SECONDS = 1000;

  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** Scenarios that are planned for so many seconds, whose rounds each take so long. */
  function run(minutes, ...plans) {
    const scenarios = plans.map(({ seconds, round, rounds = 1000, warmUp }, at) => ({
      warmUp,
      name: `number ${at}`,
      method: 'As in the test.',
      rounds,
      seconds,
      metrics: {},
      async run(bench) {
        for await (const _ of bench.rounds()) jest.advanceTimersByTime(round * SECONDS);
      },
    }));
    const options = { minutes, scenarios, sides: [], n: null };
    return measure({ signal: new AbortController().signal }, options, show);
  }

  const total = ({ runs }) => runs.reduce((sum, { seconds }) => sum + seconds, 0);
  const roundsOf = ({ runs }) => runs.map(({ rounds }) => rounds);

  test('are kept by rounds of any length, as none begins that would not end in time', async () => {
    const measures = await run(2, { seconds: 60, round: 7 }, { seconds: 30, round: 11 });
    // Of 80 s and of what is left, two rounds each are the warm-up.
    expect(roundsOf(measures)).toEqual([9, 1]);
    expect(total(measures)).toBeLessThanOrEqual(120);
  });

  test('leave each scenario one counted round, and no more warm-up than there is time for', async () => {
    const measures = await run(1, { seconds: 30, round: 40 }, { seconds: 30, round: 15 });
    expect(roundsOf(measures)).toEqual([1, 1]);
  });

  test('that one scenario does not need are for those behind it', async () => {
    const measures = await run(1, { seconds: 30, round: 1, rounds: 3 }, { seconds: 30, round: 1 });
    expect(roundsOf(measures)).toEqual([3, 53]);
  });

  test('are filled by those of many short rounds, which are told of where they are listed', async () => {
    const measures = await run(
      2,
      { seconds: 60, round: 1 },
      { seconds: 60, round: 50, rounds: 2, warmUp: 0 },
    );
    expect(roundsOf(measures)).toEqual([68, 1]);
    expect(total(measures)).toBe(120);
  });

  test('that were not enough for all rounds are said to be so', async () => {
    const measures = await run(1, { seconds: 30, round: 1 });
    const report = reportOf(measures, example(), []);
    expect(textOf(report)).toContain('58 rounds of 1000 asked for');
  });
});

describe('the report', () => {
  test('says how many calls succeeded, and what the others said', async () => {
    const measures = await measured(async ({ rounds, attempt }) => {
      for await (const round of rounds()) {
        await attempt(round, 'call', 'floor', async () => {
          if (round > 0) throw new Error('no');
        });
      }
    });
    const report = reportOf(measures, example(), []);
    const { floor } = report.scenarios[0].metrics[0].sides;
    expect(floor).toMatchObject({ n: 1, calls: 3, failed: 2, success: { value: 1 / 3 } });
    expect(floor.errors).toEqual([{ message: 'no', count: 2 }]);
    expect(textOf(report)).toContain('1 of 3');
    expect(textOf(report)).toContain('one call, floor: 2 failed: no');
  });

  test('shows a side of which every call failed', async () => {
    const measures = await measured(async ({ rounds, attempt }) => {
      for await (const round of rounds()) {
        await attempt(round, 'call', 'floor', () => Promise.reject(new Error('no')));
      }
    });
    const report = reportOf(measures, example(), []);
    expect(report.scenarios[0].metrics[0].sides.floor).toMatchObject({ n: 0, calls: 3 });
    expect(textOf(report)).toContain('0 of 3');
  });

  test('as JSON is what it was, but for digits nobody measured', () => {
    const report = {
      schemaVersion: 1,
      text: 'a [1, 2]',
      samples: [1.234567, 2, 1e-7],
      at: 12345678,
    };
    expect(JSON.parse(jsonOf(report))).toEqual({ ...report, samples: [1.2346, 2, 1e-7] });
    expect(jsonOf(report)).toContain('[ 1.2346, 2, 1e-7 ]');
  });
});
