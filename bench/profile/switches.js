'use strict';

const { median } = require('../statistics');

const SWITCH =
  /\[(\d+)\]\s+(\d+)\.(\d{9}): sched:sched_switch: .* ==> next_comm=(.*) next_pid=(\d+)/;

/** Whose a thread is. Order: as a call passes through them. */
const PARTS = {
  javascript: 'Node.js: JavaScript and its event loop',
  native: 'Node.js: threads of the native part',
  dockerd: 'dockerd',
  shim: 'containerd-shim',
  python: 'Python in the container',
  others: 'anything else on the machine',
};
const COMMANDS = [
  [/^dockerd/, 'dockerd'],
  [/^containerd-shim/, 'shim'],
  [/^python/, 'python'],
];

/**
 * Adds up what ran during each call.
 *
 * @param {string} text of `perf script`: one switch in a line, in order of time
 * @param {{ calls: [number, number][], main: number, threads: number[] }} made from `calls.js`
 * @returns {{ calls: number, wallUs: number, nobodyUs: number, nobodyShare: number,
 *   parts: { key: string, who: string, cpuUs: number, share: number, firstUs: number | null }[],
 *   timeline: { wallUs: number, runs: { part: string, thread: number, fromUs: number, toUs: number }[] } }}
 *   medians over the calls, in microseconds; `share` is of the call's time, and as several processors run at
 *   once the shares need not add up to 1; the timeline is of the call in the middle
 */
function profileOf(text, { calls, main, threads }) {
  const runs = runsOf(text, { main, threads: new Set(threads) });
  const windows = calls.map(([from, to]) => windowOf(runs, from, to));
  const wallUs = median(windows.map((window) => window.wallUs));
  const middle = [...windows].sort((a, b) => a.wallUs - b.wallUs)[Math.floor(windows.length / 2)];
  const nobodyUs = median(windows.map((window) => window.nobodyUs));
  return {
    calls: calls.length,
    wallUs: Math.round(wallUs),
    nobodyUs: Math.round(nobodyUs),
    nobodyShare: Number((nobodyUs / wallUs).toFixed(3)),
    parts: Object.entries(PARTS).map(([key, who]) => {
      const cpuUs = median(windows.map((window) => window.parts[key].cpuUs));
      const firsts = windows.map((window) => window.parts[key].firstUs).filter(Number.isFinite);
      return {
        key,
        who,
        cpuUs: Math.round(cpuUs),
        share: Number((cpuUs / wallUs).toFixed(3)),
        firstUs: firsts.length > 0 ? Math.round(median(firsts)) : null,
      };
    }),
    timeline: {
      wallUs: Math.round(middle.wallUs),
      runs: middle.runs.map((run) => ({
        ...run,
        fromUs: Number(run.fromUs.toFixed(1)),
        toUs: Number(run.toUs.toFixed(1)),
      })),
    },
  };
}

/** From one switch of a processor to its next, a thread ran on it; idle processors are left out. */
function runsOf(text, owner) {
  const running = new Map();
  const runs = [];
  for (const line of text.split('\n')) {
    const found = SWITCH.exec(line);
    if (!found) continue;
    const [, cpu, seconds, nanoseconds, command, thread] = found;
    const at = Number(seconds) * 1e9 + Number(nanoseconds);
    const before = running.get(cpu);
    if (before && before.thread !== 0) runs.push({ ...before, to: at });
    running.set(cpu, {
      thread: Number(thread),
      part: partOf(command, Number(thread), owner),
      from: at,
    });
  }
  return runs;
}

function partOf(command, thread, { main, threads }) {
  if (thread === main) return 'javascript';
  if (threads.has(thread)) return 'native';
  return COMMANDS.find(([pattern]) => pattern.test(command))?.[1] ?? 'others';
}

/** What ran between two times. */
function windowOf(all, from, to) {
  const runs = all
    .filter((run) => run.from < to && run.to > from)
    .map(({ part, thread, ...run }) => ({
      part,
      thread,
      fromUs: (Math.max(run.from, from) - from) / 1000,
      toUs: (Math.min(run.to, to) - from) / 1000,
    }))
    .sort((a, b) => a.fromUs - b.fromUs);
  const wallUs = (to - from) / 1000;
  return {
    runs,
    wallUs,
    nobodyUs: wallUs - covered(runs.filter(({ part }) => part !== 'others')),
    parts: Object.fromEntries(
      Object.keys(PARTS).map((key) => {
        const own = runs.filter(({ part }) => part === key);
        const cpuUs = own.reduce((sum, run) => sum + run.toUs - run.fromUs, 0);
        return [key, { cpuUs, firstUs: own[0]?.fromUs }];
      }),
    ),
  };
}

/** How much of the time at least one of them ran; they come in the order of their beginning. */
function covered(runs) {
  let sum = 0;
  let end = 0;
  for (const { fromUs, toUs } of runs) {
    sum += Math.max(0, toUs - Math.max(end, fromUs));
    end = Math.max(end, toUs);
  }
  return sum;
}

module.exports = { PARTS, profileOf };
