'use strict';

// What the system call filter lets through.

const { readFileSync } = require('node:fs');
const path = require('node:path');

const { Pools, outside } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

const program = (name) => readFileSync(path.join(__dirname, 'programs', name), 'utf8');

/** What a filter lets through: the numbers of calls, and of address families. */
async function letThrough(seccomp) {
  const pool = pools.make({ poolSize: 1, seccomp, cpuQuota: Infinity });
  const { stdout } = await pool.run(program('system_calls.py'));
  return JSON.parse(stdout);
}

const testBoth = outside().hasFilter ? test : test.skip;

testBoth("the package's filter lets nothing through that the engine's stops", async () => {
  const [ours, engines] = [await letThrough('strict'), await letThrough('engine')];
  expect(ours.calls.filter((call) => !engines.calls.includes(call))).toEqual([]);
  expect(ours.families.filter((family) => !engines.families.includes(family))).toEqual([]);
  expect(ours.calls.length).toBeGreaterThan(200);
  expect(ours.calls.length).toBeLessThan(engines.calls.length);
});

test('it lets a script have UNIX, IPv4, IPv6 and routing netlink sockets', async () => {
  const { families } = await letThrough('strict');
  expect(families).toEqual([1, 2, 10, 16]);
});

test("a profile of the user's own takes the place of both", async () => {
  const allowAll = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] };
  allowAll.syscalls.push({ names: ['uname'], action: 'SCMP_ACT_ERRNO' });
  const pool = pools.make({ poolSize: 1, seccomp: allowAll });
  const { stdout } = await pool.run(
    'import os\ntry: os.uname()\nexcept OSError as e: print(e.errno)',
  );
  expect(stdout).toBe('1');
});
