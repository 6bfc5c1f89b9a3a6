'use strict';

// What scripts reach by the list of an option, from containers that have no network.

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { buffer } = require('node:stream/consumers');

const { NO_PYTHON, Pools, outside } = require('../support/engine');
const { certificateFor, serve } = require('../support/servers');

const pools = new Pools();
afterEach(pools.close);

const NAME = 'api.test';
const OTHER = 'other.test';
const hosts = { [NAME]: '127.0.0.1', [OTHER]: '127.0.0.1' };
const { key, cert } = certificateFor(NAME);
const { key: otherKey, cert: otherCert } = certificateFor(OTHER);

/** Much more than any buffer on the way. */
const LARGE = Buffer.alloc(8 << 20, 'scientist-pool ');
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

let plain;
let secure;
let other;
beforeAll(async () => {
  const answer = async (request, response) => {
    if (request.url === '/large') response.end(LARGE);
    else if (request.url === '/never') response.write('begins');
    else if (request.method === 'POST') response.end(digest(await buffer(request)));
    else response.end(`${request.method} ${request.url}`);
  };
  plain = await serve(answer);
  secure = await serve(answer, { key, cert });
  other = await serve(answer, { key: otherKey, cert: otherCert });
});
afterAll(() => {
  for (const server of [plain, secure, other]) server?.close();
});

/** A pool that allows the two servers of the name, and no other. */
const make = (network = {}, options = {}) => {
  const allow = [`${NAME}:${plain.port}`, `${NAME}:${secure.port}`];
  return pools.make({ poolSize: 1, ...options, network: { allow, hosts, ...network } });
};

/** Prints what a URL gives, with the certificates of the test. */
const get = (url) => `
import ssl, urllib.request
trust = ssl.create_default_context(cadata=${JSON.stringify(cert + otherCert)})
print(urllib.request.urlopen(${JSON.stringify(url)}, context=trust).read().decode())`;

test('a script reaches an allowed host over HTTP, and what went out is in its result', async () => {
  const result = await make().run(get(`http://${NAME}:${plain.port}/a`));
  expect(result).toMatchObject({ stdout: 'GET /a', stderr: '', path: 'warm' });
  const rule = `${NAME}:${plain.port}`;
  expect(result.egress).toEqual([
    {
      ...{ host: NAME, port: plain.port, allowed: true, rule },
      bytesSent: expect.any(Number),
      bytesReceived: expect.any(Number),
      duration: expect.any(Number),
    },
  ]);
  expect(result.egress[0].bytesReceived).toBeGreaterThan('GET /a'.length);
});

test('a script reaches an allowed host over HTTPS, whose certificate is its own', async () => {
  const result = await make().run(get(`https://${NAME}:${secure.port}/b`));
  expect(result).toMatchObject({ stdout: 'GET /b', stderr: '' });
  expect(result.egress).toMatchObject([{ host: NAME, port: secure.port, allowed: true }]);
});

test.each(['http', 'https'])(
  'a refusal of %s says in the traceback which rule is missing',
  async (scheme) => {
    const { stderr, exitCode, egress } = await make().run(get(`${scheme}://${OTHER}/`));
    const port = scheme === 'http' ? 80 : 443;
    const rule = `network.allow has no "${OTHER}:${port}"`;
    expect(stderr.replace('403:', '403')).toContain(`403 ${rule}`);
    expect(exitCode).toBe(1);
    expect(egress).toMatchObject([{ host: OTHER, port, allowed: false, rule }]);
  },
);

test('a tunnel to an allowed host is for that host alone', async () => {
  const { stdout, egress } = await make().run(`
import socket, ssl
stream = socket.create_connection(('127.0.0.1', 3128))
stream.sendall(b'CONNECT ${NAME}:${secure.port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
print(stream.recv(4096).split(b'\\r\\n')[0].decode())
trust = ssl.create_default_context(cadata=${JSON.stringify(cert + otherCert)})
try: trust.wrap_socket(stream, server_hostname='${OTHER}')
except ssl.SSLError as error: print(error.reason)`);
  expect(stdout.split('\n')).toEqual(['HTTP/1.1 200 OK', 'TLSV1_UNRECOGNIZED_NAME']);
  const rule = `the TLS to ${NAME} is meant for ${OTHER}`;
  expect(egress).toMatchObject([{ allowed: false, rule, bytesSent: 0 }]);
});

test('there is no other way out', async () => {
  const { stdout } = await make().run(`
import socket
for address in [('127.0.0.1', ${plain.port}), ('169.254.169.254', 80), ('1.1.1.1', 53)]:
    try: socket.create_connection(address, 2); print('reached', address)
    except OSError as error: print(type(error).__name__)
try: socket.getaddrinfo('${NAME}', 80)
except socket.gaierror: print('no names')`);
  expect(stdout.split('\n')).toEqual(['ConnectionRefusedError', 'OSError', 'OSError', 'no names']);
});

test('a name that leads to this machine is refused unless it is given outright', async () => {
  const pool = make({ allow: ['localhost'], hosts: {} });
  const { stderr } = await pool.run(
    `import os; os.environ['no_proxy'] = os.environ['NO_PROXY'] = ''${get('http://localhost/')}`,
  );
  expect(stderr).toMatch(/403: localhost leads to (127\.0\.0\.1|::1), which is a loopback address/);
});

describe('a call', () => {
  test('has less than its pool, if it says so', async () => {
    const pool = make();
    const network = { allow: [`${NAME}:${secure.port}`] };
    const refused = await pool.run(get(`http://${NAME}:${plain.port}/`), { network });
    expect(refused.stderr).toContain('for this call');
    const allowed = await pool.run(get(`https://${NAME}:${secure.port}/c`), { network });
    expect(allowed.stdout).toBe('GET /c');
  });

  test('has nothing, if it says so', async () => {
    const { stderr } = await make().run(get(`http://${NAME}:${plain.port}/`), { network: 'none' });
    expect(stderr).toContain('403: network.allow has no');
  });

  test('has never more', async () => {
    const call = make().run('', { network: { allow: ['*.test'] } });
    await expect(call).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('network.allow[0] must be within what the pool allows'),
    });
  });

  test('after a narrower one has all again', async () => {
    const container = await make().acquire();
    await container.execute('', {}, [], { network: 'none' });
    const { stdout } = await container.execute(get(`http://${NAME}:${plain.port}/d`));
    expect(stdout).toBe('GET /d');
  });
});

test('commands have it, too', async () => {
  const code = get(`http://${NAME}:${plain.port}/e`);
  const { stdout, egress } = await make().run(['python3', '-c', code]);
  expect({ stdout, count: egress.length }).toEqual({ stdout: 'GET /e\n', count: 1 });
});

test('the variables are there in both spellings', async () => {
  const { stdout } = await make().run(
    'import os; print(*sorted(name for name in os.environ if "proxy" in name.lower()))',
  );
  const names = ['ALL_PROXY', 'HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'];
  const all = [...names, ...names.map((name) => name.toLowerCase())];
  expect(stdout.split(' ')).toEqual(all.sort());
});

test('bytes come through as they are, many more than fit on the way', async () => {
  const { stdout } = await make().run(`
import hashlib, urllib.request
url = 'http://${NAME}:${plain.port}/large'
data = urllib.request.urlopen(url).read()
print(hashlib.sha256(data).hexdigest())
print(urllib.request.urlopen(urllib.request.Request(url[:-5], data, method='POST')).read().decode())`);
  expect(stdout.split('\n')).toEqual([digest(LARGE), digest(LARGE)]);
});

test('more connections at once than may be wait for one another', async () => {
  const { stdout } = await make({ maxConnections: 4 }).run(`
import concurrent.futures, urllib.request
def get(n): return urllib.request.urlopen('http://${NAME}:${plain.port}/%d' % n).read()
with concurrent.futures.ThreadPoolExecutor(20) as pool:
    print(sum(len(answer) > 0 for answer in pool.map(get, range(60))))`);
  expect(stdout).toBe('60');
});

test('a connection has no more bytes than it may', async () => {
  const { stdout, egress } = await make({ maxReceivedBytes: '1m' }).run(`
import urllib.request
answer = urllib.request.urlopen('http://${NAME}:${plain.port}/large')
try: print(len(answer.read()))
except Exception as error: print(type(error).__name__)`);
  expect(stdout).toBe('IncompleteRead');
  expect(egress[0].bytesReceived).toBeLessThan(2 << 20);
});

test('the end of a container is that of its connections', async () => {
  const pool = make();
  const container = await pool.acquire();
  const ended = once(pool, 'egress');
  const call = container.execute(
    `
import urllib.request
answer = urllib.request.urlopen('http://${NAME}:${plain.port}/never')
print(answer.read(6).decode(), flush=True)
answer.read()`,
    {},
    [],
    { onStdout: () => void container.destroy() },
  );
  await expect(call).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
  const [{ id, host, allowed }] = await ended;
  expect({ id, host, allowed }).toEqual({ id: container.id, host: NAME, allowed: true });
  expect(pool.stats().egress.open).toBe(0);
});

test('a timeout says what went out until then', async () => {
  const result = await make().run(get(`http://${NAME}:${plain.port}/never`), { timeout: 1_500 });
  expect(result).toMatchObject({ reason: 'timeout', egress: [{ host: NAME, allowed: true }] });
});

test('events and counts tell of it', async () => {
  const pool = make();
  const told = [];
  pool.on('egress', ({ host, allowed }) => told.push([host, allowed]));
  await pool.run(get(`http://${NAME}:${plain.port}/`));
  await pool.run(get(`http://${OTHER}/`));
  expect(told).toEqual([
    [NAME, true],
    [OTHER, false],
  ]);
  expect(pool.stats().egress).toMatchObject({ open: 0, allowed: 1, refused: 1 });
});

test('without it a result has nothing of it, and stats() says so', async () => {
  const pool = pools.make({ poolSize: 1 });
  expect(await pool.run('')).not.toHaveProperty('egress');
  expect(pool.stats().egress).toBeNull();
});

test('an image without Python has it where the engine itself can listen', async () => {
  const pool = make({}, { image: NO_PYTHON });
  const call = pool.run(['wget', '-q', '-O', '-', `http://${NAME}:${plain.port}/f`]);
  if (outside().hasInit) expect(await call).toMatchObject({ stdout: 'GET /f' });
  else {
    await expect(call).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('takes a python3 in the image'),
    });
  }
});
