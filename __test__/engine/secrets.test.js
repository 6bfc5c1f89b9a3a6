'use strict';

// Secrets that scripts use and do not have: what hosts get, what scripts see, and what is told of it.

const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { IMAGE, Pools, address, outside } = require('../support/engine');
const { authority, serve } = require('../support/servers');

const pools = new Pools();
afterEach(pools.close);

const NAME = 'api.test';
const OTHER = 'other.test';
const VALUE = 'ghp_Zq3vX0123456789abcdefghijklmnopqrstuv';
const hosts = { [NAME]: '127.0.0.1', [OTHER]: '127.0.0.1' };
const signer = authority();

/** Requests as the hosts have had them. */
const heard = [];
let api;
let other;
let plain;
let stranger;
beforeAll(async () => {
  const answer = async (request, response) => {
    const { method, url, headers } = request;
    const body = await text(request);
    heard.push({ method, url, headers, body });
    response.setHeader('X-Echo', headers.authorization ?? '');
    // In two pieces, the value cut in the middle.
    const echo = JSON.stringify({ url, headers, body });
    const middle = echo.indexOf(VALUE) + 10;
    response.write(echo.slice(0, middle));
    setImmediate(() => response.end(echo.slice(middle)));
  };
  api = await serve(answer, signer.certify(NAME));
  other = await serve(answer, signer.certify(OTHER));
  stranger = await serve(answer, authority().certify(NAME));
  plain = await serve(answer);
});
beforeEach(() => void heard.splice(0));
afterAll(() => {
  for (const server of [api, other, stranger, plain]) server?.close();
});

const make = ({ secret = {}, ...options } = {}) =>
  pools.make({
    poolSize: 1,
    network: {
      allow: [api, stranger, plain]
        .map(({ port }) => `${NAME}:${port}`)
        .concat(`${OTHER}:${other.port}`),
      hosts,
      ca: signer.pem,
    },
    secrets: {
      TOKEN: {
        value: VALUE,
        hosts: [api, stranger, plain].map(({ port }) => `${NAME}:${port}`),
        ...secret,
      },
    },
    ...options,
  });

/** Sends the placeholder in each part of a request, and prints the answer. */
const post = (url) => `
import os, urllib.request
token = os.environ['TOKEN']
request = urllib.request.Request('${url}?key=' + token, ('{"key": "%s"}' % token).encode(), {
    'Authorization': 'Bearer ' + token})
answer = urllib.request.urlopen(request)
print(answer.headers['X-Echo'])
print(answer.read().decode())`;

const ours = () => `https://${NAME}:${api.port}/a`;

test('the host gets the value, and the script has its placeholder, of the same length', async () => {
  const result = await make().run(`${post(ours())}\nprint(token)`);
  expect(result.stderr).toBe('');
  const [echo, body, placeholder] = result.stdout.split('\n');
  expect(placeholder).toMatch(/^sp-secret-[A-Za-z0-9]+$/);
  expect(placeholder).toHaveLength(VALUE.length);
  expect(heard).toMatchObject([
    {
      url: `/a?key=${placeholder}`,
      headers: { authorization: `Bearer ${VALUE}`, 'accept-encoding': 'identity' },
      body: `{"key": "${placeholder}"}`,
    },
  ]);
  // And what comes back has it in its place again.
  expect(echo).toBe(`Bearer ${placeholder}`);
  expect(JSON.parse(body).headers.authorization).toBe(`Bearer ${placeholder}`);
  expect(result.egress).toMatchObject([{ host: NAME, secrets: ['TOKEN'], strayed: ['TOKEN'] }]);
});

test('in the query and the body the value is if that is said', async () => {
  const secret = { in: ['query', 'body'] };
  const { egress } = await make({ secret }).run(post(ours()));
  expect(heard).toMatchObject([{ url: `/a?key=${VALUE}`, body: `{"key": "${VALUE}"}` }]);
  expect(heard[0].headers.authorization).toMatch(/^Bearer sp-secret-/);
  expect(heard[0].headers['content-length']).toBe(String(heard[0].body.length));
  expect(egress).toMatchObject([{ secrets: ['TOKEN'], strayed: ['TOKEN'] }]);
});

test('basic authentication has it, too', async () => {
  await make().run(`
import base64, os, urllib.request
pair = base64.b64encode(b'user:' + os.environ['TOKEN'].encode()).decode()
urllib.request.urlopen(urllib.request.Request('${ours()}', headers={'Authorization': 'Basic ' + pair}))`);
  const pair = Buffer.from(`user:${VALUE}`).toString('base64');
  expect(heard[0].headers.authorization).toBe(`Basic ${pair}`);
});

test('another host gets the placeholder, by TLS that is its own', async () => {
  const { stdout, egress } = await make().run(`${post(`https://${OTHER}:${other.port}/`)}
import socket, ssl
stream = socket.create_connection(('127.0.0.1', 3128))
stream.sendall(b'CONNECT ${OTHER}:${other.port} HTTP/1.1\\r\\n\\r\\n')
stream.recv(4096)
tls = ssl.create_default_context().wrap_socket(stream, server_hostname='${OTHER}')
print(dict(part[0] for part in tls.getpeercert()['issuer'])['commonName'])`);
  expect(stdout.split('\n').at(-1)).toBe('authority.test');
  expect(heard[0].headers.authorization).toMatch(/^Bearer sp-secret-/);
  expect(egress[0]).not.toHaveProperty('secrets');
});

test('so does the same host without TLS, and that is told', async () => {
  const pool = make();
  const told = once(pool, 'egress');
  await pool.run(post(`http://${NAME}:${plain.port}/`));
  expect(JSON.stringify(heard)).not.toContain(VALUE);
  expect(heard[0].headers.authorization).toMatch(/^Bearer sp-secret-/);
  const [event] = await told;
  expect(event).toMatchObject({ host: NAME, port: plain.port, strayed: ['TOKEN'] });
  expect(event).not.toHaveProperty('secrets');
});

test('a host whose certificate is not trusted gets nothing, and the script is told why', async () => {
  const { stdout } = await make().run(`
import os, urllib.error, urllib.request
headers = {'Authorization': os.environ['TOKEN']}
try: urllib.request.urlopen(urllib.request.Request('https://${NAME}:${stranger.port}/', headers=headers))
except urllib.error.HTTPError as error: print(error.code, error.read().decode())`);
  expect(stdout).toMatch(
    /^502 api\.test:\d+ can't be reached by TLS that is trusted: invalid peer cert/,
  );
  expect(heard).toEqual([]);
});

test('each container has another placeholder, and each call in it the same', async () => {
  const pool = make();
  const print = 'import os; print(os.environ["TOKEN"])';
  const container = await pool.acquire();
  const [one, same] = [
    await container.execute(print),
    await container.execute(['sh', '-c', 'echo $TOKEN']),
  ];
  expect(same.stdout.trim()).toBe(one.stdout);
  expect((await pool.run(print)).stdout).not.toBe(one.stdout);
  const told = await container.execute(print, { TOKEN: 'its own' });
  expect(told.stdout).toBe('its own');
});

test('a host that a call may not reach gets no secret either', async () => {
  const { stderr } = await make().run(post(ours()), { network: 'none' });
  expect(stderr).toContain('403 network.allow has no');
  expect(heard).toEqual([]);
});

/** How bytes are written where they are told. */
function* formsOf(value) {
  const bytes = Buffer.from(value);
  yield* [value, bytes.toString('hex'), [...bytes].join(','), [...bytes].join(', ')];
  // As `inspect` has the beginning of a buffer.
  yield bytes.toString('hex', 0, 20).replace(/..(?!$)/g, '$& ');
  for (let before = 0; before < 3; before += 1) {
    const coded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    yield coded.slice(Math.ceil((before * 8) / 6), -4);
  }
}

test('the value is nowhere in what is told of a pool, whatever happens', async () => {
  const value = randomBytes(30).toString('base64url');
  const options = {
    ...{ engine: address(), image: outside().image(IMAGE), poolSize: 1 },
    network: { allow: [`${NAME}:${api.port}`, 'elsewhere.test'], hosts, ca: signer.pem },
    secrets: { TOKEN: { value, hosts: [`${NAME}:${api.port}`] } },
  };
  const program = path.join(__dirname, '../support/programs/teller.js');
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, NODE_DEBUG: 'scientist-pool' },
  });
  child.stdin.end(JSON.stringify({ options, url: ours() }));
  const [stdout, debug] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(heard.map(({ headers }) => headers.authorization)).toContain(`Bearer ${value}`);
  if (stdout === '') throw new Error(debug);
  const told = { debug: [debug], ...JSON.parse(stdout) };
  const known = ['channels', 'debug', 'errors', 'events', 'metrics', 'pools', 'processes'];
  expect(Object.keys(told).sort()).toEqual([...known, 'results', 'spans']);
  const found = Object.entries(told).flatMap(([place, texts]) =>
    texts
      .filter((each) => [...formsOf(value)].some((form) => each.includes(form)))
      .map((each) => [place, each]),
  );
  expect(found).toEqual([]);
  // Each place has told what it tells, and the texts are those in which the value would be.
  const has = (word) => Object.keys(told).filter((place) => told[place].join().includes(word));
  expect(has(NAME)).toEqual(expect.arrayContaining(['debug', 'events', 'results']));
  expect(has('secrets.TOKEN.value')).toEqual(['errors']);
  expect(has('CONTAINER_TERMINATED')).toEqual(
    expect.arrayContaining(['channels', 'debug', 'errors', 'spans']),
  );
  expect(has('sp-secret-')).toEqual(expect.arrayContaining(['results']));
});

test('certificates of other hosts are verified as ever', async () => {
  const { stderr } = await make({
    network: { allow: [`${NAME}:${api.port}`, `${OTHER}:${other.port}`], hosts },
    secret: { hosts: [`${NAME}:${api.port}`] },
  }).run(post(`https://${OTHER}:${other.port}/`));
  expect(stderr).toContain('CERTIFICATE_VERIFY_FAILED');
});

test('a pool without secrets has none of it', async () => {
  const pool = make({ secrets: {}, network: { allow: [`${NAME}:${api.port}`], hosts } });
  const { stdout } = await pool.run(
    'import os; print("TOKEN" in os.environ, "SSL_CERT_FILE" in os.environ, os.listdir("/dev/shm"))',
  );
  expect(stdout).toBe('False False []');
});

test('the Pythons of today verify the certificate that they are shown', async () => {
  const image = outside().image('python:3.13-slim');
  expect(await make({ image }).run(post(ours()))).toMatchObject({ stderr: '', exitCode: 0 });
  expect(heard[0].headers.authorization).toBe(`Bearer ${VALUE}`);
});
