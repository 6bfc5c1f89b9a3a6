'use strict';

// The network by name where the engine is behind a network: no socket can be handed over there, so all that goes out
// is relayed by a program in the container.

const { Pools, address } = require('../support/engine');
const { FarEngine } = require('../support/far-engine');

const pools = new Pools();
const near = address();
let far;
beforeAll(async () => {
  far = await FarEngine.start(near);
  process.env.SCIENTIST_POOL_TEST_ENGINE = far.address;
});
afterEach(pools.close);
afterAll(() => {
  process.env.SCIENTIST_POOL_TEST_ENGINE = near;
  far?.close();
});

const network = { allow: ['api.test'] };

/** Waits until so many programs of the container relay, and prints how many do. One that has handed over ends. */
const relays = (expected) => `
import glob, time
deadline = time.monotonic() + 10
while True:
    count = 0
    for name in glob.glob('/proc/[0-9]*/cmdline'):
        try: count += b'\\x003128\\x00' in open(name, 'rb').read()
        except OSError: pass
    if count == ${expected} or time.monotonic() > deadline: break
    time.sleep(0.02)
print(count)`;

test('a program relays', async () => {
  expect((await pools.make({ poolSize: 1, network }).run(relays(1))).stdout).toBe('1');
});

test('on this machine none does, and nobody can hand over another socket', async () => {
  const script = `${relays(0)}
import socket
try: socket.socket(socket.AF_UNIX).connect('/dev/scientist-pool.sock')
except OSError as error: print(type(error).__name__)`;
  const { stdout } = await pools.make({ engine: near, poolSize: 1, network }).run(script);
  expect(stdout).toBe('0\nConnectionRefusedError');
});

require('../engine/egress.test');
