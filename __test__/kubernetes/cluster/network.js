'use strict';

// What scripts reach by the list of an option: connections go by an exec to this process.

const { Pools, settled, until } = require('../../support/engine');
const { withoutApiServer } = require('../../support/cluster');
const { serve } = require('../../support/servers');

const NAME = 'api.test';
const pools = new Pools();
let server;
beforeAll(async () => {
  server = await serve((request, response) => response.end(`${request.method} ${request.url}`));
});
afterAll(() => server?.close());
afterEach(pools.close);

const get = (host) => `
import urllib.request
print(urllib.request.urlopen("http://${host}:${server.port}/a").read().decode())`;

const make = () => {
  const allow = [`${NAME}:${server.port}`];
  const hosts = { [NAME]: '127.0.0.1', 'other.test': '127.0.0.1' };
  return pools.make({ poolSize: 1, network: { allow, hosts } });
};

test('a script reaches what is allowed, and nothing else by that way', async () => {
  const pool = make();
  expect(await pool.run(get(NAME))).toMatchObject({ stdout: 'GET /a', path: 'warm' });
  const refused = await pool.run(get('other.test'));
  expect(refused.stderr).toContain('other.test');
  expect(refused.egress).toMatchObject([{ host: 'other.test', allowed: false }]);
});

test('warm pods with such a way are lost with the API server, and made anew', async () => {
  const pool = make();
  pool.on('error', () => {});
  await pool.initialize();
  const [{ id: before }] = pool.pool;
  await withoutApiServer();
  await until(() => pool.pool.some(({ id }) => id !== before), 60_000);
  await settled(pool);
  expect((await pool.run(get(NAME))).stdout).toBe('GET /a');
});
