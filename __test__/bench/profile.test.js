'use strict';

const { profileOf } = require('../../bench/profile/switches');

/** A switch as `perf script` prints it; `us` is its time. */
const line = (cpu, us, command, thread) =>
  `[00${cpu}]    10.${String(us * 1000).padStart(9, '0')}: sched:sched_switch: prev_comm=x y prev_pid=1 ` +
  `prev_prio=120 prev_state=S ==> next_comm=${command} next_pid=${thread} next_prio=120`;

const at = (us) => 10e9 + us * 1000;
const partOf = (profile, key) => profile.parts.find((part) => part.key === key);

describe('the profile of a call', () => {
  const text = [
    line(0, 90, 'node', 50),
    line(0, 120, 'scientist-pool', 51),
    line(0, 130, 'swapper/0', 0),
    line(1, 150, 'dockerd', 60),
    line(0, 160, 'python3', 70),
    line(1, 170, 'swapper/1', 0),
    line(0, 180, 'node', 99),
    line(0, 195, 'node', 50),
    line(0, 300, 'swapper/0', 0),
  ].join('\n');
  const calls = { calls: [[at(100), at(200)]], main: 50, threads: [50, 51] };
  const profile = profileOf(text, calls);

  test('counts only what ran between its beginning and its end', () => {
    expect(profile.wallUs).toBe(100);
    expect(partOf(profile, 'javascript')).toMatchObject({ cpuUs: 25, share: 0.25, firstUs: 0 });
  });

  test('knows its own threads by number, and the engine by name', () => {
    expect(partOf(profile, 'native').cpuUs).toBe(10);
    expect(partOf(profile, 'dockerd').cpuUs).toBe(20);
    expect(partOf(profile, 'python').cpuUs).toBe(20);
    expect(partOf(profile, 'shim')).toMatchObject({ cpuUs: 0, firstUs: null });
  });

  test('takes another process of the same name for something else', () => {
    expect(partOf(profile, 'others').cpuUs).toBe(15);
  });

  test('counts time in which two processors worked once, and that of others as waiting', () => {
    expect(profile.nobodyUs).toBe(100 - 30 - 30 - 5);
  });
});
