'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { PassThrough } = require('node:stream');
const { text } = require('node:stream/consumers');

const { hello } = require('../jobs');
const { spawnProgram } = require('../program');
const { OWN } = require('../sides');
const { quiet, shuffled } = require('../timing');

const NAME = 'server.test';
const CLIENT = fs.readFileSync(path.join(__dirname, '..', 'egress', 'client.py'), 'utf8');
const REQUESTS = 20;
const SIZE = 2 ** 30;
/** Every how many rounds there is a body each way. */
const BODIES_EVERY = 5;
const CALLS = 5;

module.exports = {
  name: 'egress',
  method: `The network by name of the package, on both engines: a client in the container (Python's urllib) and an HTTPS
    server on this machine's loopback. "direct" is the same client in a container of Docker on this machine's own
    network, which no proxy is in the way of. Each round, in random order: ${REQUESTS} requests one after another, each on a
    connection of its own, TLS and all; every ${BODIES_EVERY}th round then a body of ${SIZE / 2 ** 30} GiB each way. No
    container has a limit of processor time, whose waits would be those of the clients. Then print("hello") in ${CALLS} containers
    of each pool, and of one each that has no network.`,
  rounds: 20,
  warmUp: 1,
  seconds: 150,
  metrics: {
    request: 'HTTPS request',
    download: '1 GiB from the server',
    upload: '1 GiB to the server',
    execute: 'execute print("hello")',
  },

  async run({ sides, open, rounds, record, attempt, signal, ...context }) {
    const server = spawnProgram('bench/egress/server.js', [NAME], signal);
    const pools = new Map();
    try {
      const { port, certificate } = await server.answer;
      const network = { allow: [`${NAME}:${port}`], hosts: { [NAME]: '127.0.0.1' } };
      const free = { cpuQuota: Number.POSITIVE_INFINITY };
      const clients = { direct: (env) => direct(context, env) };
      for (const side of OWN.filter((name) => sides.includes(name))) {
        pools.set(side, await open(side, { poolSize: CALLS, ...free }));
        const allowing = await open(side, { poolSize: CALLS, ...free, network });
        pools.set(`${side}, allow`, allowing);
        clients[side] = async (env) => {
          const { stdout, stderr, exitCode } = await allowing.run({ script: CLIENT, env });
          assert.equal(exitCode, 0, stderr);
          return stdout;
        };
      }
      const all = [...pools.values()];
      for await (const round of rounds()) {
        const env = {
          BASE: `https://${NAME}:${port}/`,
          CERTIFICATE: certificate,
          REQUESTS: String(REQUESTS),
          SIZE: String(round % BODIES_EVERY === 0 ? SIZE : 0),
        };
        for (const [side, told] of shuffled(Object.entries(clients))) {
          await quiet(all);
          const times = JSON.parse(await told(env));
          for (const [metric, list] of Object.entries(times)) {
            for (const ms of list) record(round, metric, side, ms);
          }
        }
        await quiet(all);
        const held = [];
        for (const [side, pool] of pools) {
          for (let call = 0; call < CALLS; call += 1)
            held.push({ side, container: await pool.acquire() });
        }
        await quiet(all);
        for (const { side, container } of shuffled(held)) {
          await attempt(round, 'execute', side, () => hello.runIn(container));
        }
        await Promise.all(held.map(({ container }) => container.destroy()));
      }
    } finally {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
      await server.end();
    }
  },
};

/** What the client tells on this machine's own network. */
async function direct({ docker, image, labels }, env) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const [{ StatusCode }, container] = await docker.run(
    image,
    ['python3', '-c', CLIENT],
    [stdout, stderr],
    {
      Labels: labels,
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      HostConfig: { NetworkMode: 'host', ExtraHosts: [`${NAME}:127.0.0.1`] },
      Tty: false,
    },
  );
  for (const stream of [stdout, stderr]) stream.end();
  await container.remove();
  const [out, complaint] = await said;
  assert.equal(StatusCode, 0, complaint);
  return out;
}
