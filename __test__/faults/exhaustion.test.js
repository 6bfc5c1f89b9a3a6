'use strict';

// A script takes what its container has of something: processes, files, room in /tmp, CPU time. It gets
// no more, a neighbour goes on undisturbed, and the container is removed as any other (invariants 3, 4).

const { Pools, idsOf, until } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

/** What each does, and how it ends: its reason, and what it said. */
const CASES = [
  [
    'forks until it can no more',
    `import os, time
forks = 0
try:
  while True:
    if os.fork() == 0: time.sleep(600)
    forks += 1
except OSError as error: print(error.strerror, forks < 50)`,
    /^exit Resource temporarily unavailable True$/,
  ],
  [
    'is a fork bomb',
    `import os
while True:
  try: os.fork()
  except OSError: pass`,
    /^timeout $/,
  ],
  [
    'makes 100 000 files in /tmp',
    `for number in range(100_000): open(f"/tmp/{number}", "w").close()
print("through")`,
    // Where the kernel counts a file's own data as memory, that runs out first.
    /^(exit through|oom )$/,
  ],
  [
    'fills /tmp',
    `try:
  for number in range(100):
    with open(f"/tmp/{number}", "wb") as file: file.write(bytes(1 << 20))
except OSError as error: print(error.strerror, number)`,
    /^exit No space left on device 6[34]$/,
  ],
  [
    'computes for ever',
    `import os
for _ in range(4): os.fork()
while True: pass`,
    /^timeout $/,
  ],
];

it.each(CASES)('a script that %s harms no neighbour, and goes', async (_, script, expected) => {
  const pool = pools.make({ poolSize: 1, max: 4 });
  await pool.initialize();
  const [{ id }] = pool.pool;
  // Nothing but the two that never end comes near this time.
  const timeout = expected.test('timeout ') ? 2000 : 30_000;
  let ended = false;
  const call = pool.run(script, { timeout }).finally(() => {
    ended = true;
  });
  do {
    expect(await pool.run('print(6 * 7)')).toMatchObject({ stdout: '42', reason: 'exit' });
  } while (!ended);
  const { reason, stdout } = await call;
  expect(`${reason} ${stdout}`).toMatch(expected);
  await until(async () => !(await idsOf(pool)).includes(id));
});
