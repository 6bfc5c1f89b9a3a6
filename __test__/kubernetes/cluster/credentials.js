'use strict';

// What the API server is entered by ends before the pool does.

const { once } = require('node:events');
const fs = require('node:fs');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');

const { Pools, outside, settled, until } = require('../../support/engine');
const { cluster, permit } = require('../../support/cluster');

const NAME = 'renewing';
const pools = new Pools();
let folder;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'credentials-'));
});
/** What takes away again what a test has made in the cluster. */
const undone = [];
afterEach(async () => {
  await pools.close();
  while (undone.length > 0) await undone.pop()();
  fs.rmSync(folder, { recursive: true });
});

/** A kubeconfig of the cluster with another user. */
function kubeconfig(user) {
  const config = JSON.parse(fs.readFileSync(process.env.KUBECONFIG, 'utf8'));
  config.users[0].user = user;
  const file = path.join(folder, 'config');
  fs.writeFileSync(file, JSON.stringify(config));
  return file;
}

/** A token of the service account, good for as long as the secret of that name is there. */
async function issue(secret) {
  const metadata = {
    name: secret,
    annotations: { 'kubernetes.io/service-account.name': NAME },
  };
  const type = 'kubernetes.io/service-account-token';
  await outside().request('POST', 'secrets', { body: { metadata, type } });
  const token = await until(async () => {
    return (await outside().request('GET', `secrets/${secret}`)).data?.token;
  });
  return Buffer.from(token, 'base64').toString();
}

/** Whether the API server takes a token. */
async function isTaken(token) {
  const [{ cluster: place }] = JSON.parse(fs.readFileSync(process.env.KUBECONFIG, 'utf8')).clusters;
  const ca = fs.readFileSync(place['certificate-authority']);
  const headers = { authorization: `Bearer ${token}` };
  const request = https.get(`${place.server}/version`, { ca, headers, agent: false });
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode !== 401;
}

test('a token is withdrawn: the program that gives tokens is run again, and the pool goes on', async () => {
  await outside().request('POST', 'serviceaccounts', { body: { metadata: { name: NAME } } });
  // With its secrets.
  undone.push(() => outside().request('DELETE', `serviceaccounts/${NAME}`));
  undone.push(await permit({ kind: 'ServiceAccount', name: NAME, namespace: 'default' }));
  const credential = path.join(folder, 'credential');
  const apiVersion = 'client.authentication.k8s.io/v1beta1';
  const give = (token) => {
    const given = { apiVersion, kind: 'ExecCredential', status: { token } };
    fs.writeFileSync(credential, JSON.stringify(given));
  };
  const first = await issue(`${NAME}-1`);
  give(first);
  const exec = { apiVersion, command: 'cat', args: [credential] };
  const pool = pools.make({ poolSize: 2, kubernetes: { kubeconfig: kubeconfig({ exec }) } });
  const errors = [];
  pool.on('error', (error) => errors.push(error));
  await pool.initialize();
  const container = await pool.acquire();
  await settled(pool);
  give(await issue(`${NAME}-2`));
  await outside().request('DELETE', `secrets/${NAME}-1`);
  // The API server remembers for a while whom it has let in.
  await until(async () => !(await isTaken(first)), 60_000);
  expect((await container.execute('print("there")')).stdout).toBe('there');
  await container.destroy();
  const results = await Promise.all([1, 2, 3].map((n) => pool.run(`print(${n})`)));
  expect(results.map(({ stdout }) => stdout)).toEqual(['1', '2', '3']);
  await settled(pool);
  expect(errors).toEqual([]);
});

test('a certificate has ended: that is told, and the one that takes its place in the same file is taken', async () => {
  undone.push(await permit({ kind: 'User', name: NAME }));
  const file = await cluster.user(NAME, 'default', { days: 0 });
  const pool = pools.make({ poolSize: 0, kubernetes: { kubeconfig: file } });
  const run = () => pool.run('print("in")');
  await until(async () => (await run().catch(({ statusCode }) => statusCode)) === 401);
  await cluster.user(NAME, 'default');
  expect(await until(() => run().catch(() => null))).toMatchObject({ stdout: 'in' });
});
