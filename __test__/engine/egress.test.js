'use strict';

// What scripts reach by the list of an option, from containers that have no network.

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { buffer } = require('node:stream/consumers');

const { NO_PYTHON, Pools, outside } = require('../support/engine');
const { certificateFor, serve, serveNames } = require('../support/servers');

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

describe('a resolver of its own', () => {
  let names;
  beforeAll(async () => {
    // A name that no other resolver has.
    names = await serveNames({ [NAME]: '127.0.0.1', 'private.test': '10.0.0.1' });
  });
  afterAll(() => names?.close());

  test('is asked for names, and its addresses are held to the same rules', async () => {
    const network = { allow: [NAME, 'private.test', 'none.test'], hosts: {} };
    const pool = make({ ...network, resolver: names.address });
    const said = async (name) => (await pool.run(get(`http://${name}/`))).stderr;
    expect(await said(NAME)).toContain(`${NAME} leads to 127.0.0.1, which is a loopback address`);
    expect(await said('private.test')).toContain('leads to 10.0.0.1, which is private');
    expect(await said('none.test')).toContain("502: none.test can't be resolved: there is no such");
  });

  test('gives way to an address that is given outright', async () => {
    const pool = make({ resolver: names.address });
    expect((await pool.run(get(`http://${NAME}:${plain.port}/g`))).stdout).toBe('GET /g');
  });

  test('that is no address is refused', () => {
    expect(() => make({ resolver: 'dns.example.org' })).toThrow(
      'network.resolver must be an address, with a port or without; got "dns.example.org"',
    );
  });
});

describe('certificates that are given', () => {
  const url = () => `https://${NAME}:${secure.port}/h`;
  const plainly = () => `
import urllib.request
print(urllib.request.urlopen('${url()}').read().decode())`;

  test('are trusted by clients in the container', async () => {
    expect(await make({ ca: cert }).run(plainly())).toMatchObject({ stdout: 'GET /h', stderr: '' });
  });

  test('are not trusted where they are not given', async () => {
    expect((await make().run(plainly())).stderr).toContain('CERTIFICATE_VERIFY_FAILED');
    expect((await make({ ca: otherCert }).run(plainly())).stderr).toContain('VERIFY_FAILED');
  });

  test('are in a file that the variables of clients name, beside those of this machine', async () => {
    const { stdout } = await make({ ca: Buffer.from(cert) }).run(`
import os, ssl
names = [n for n in os.environ if n.endswith(('_CERT_FILE', '_BUNDLE', '_CA_CERTS', '_CAINFO', 'PIP_CERT'))]
print(*sorted(names), len({os.environ[name] for name in names}))
trust = ssl.create_default_context()
print(len(trust.get_ca_certs()) > 50, oct(os.stat(os.environ['SSL_CERT_FILE']).st_mode)[-3:])`);
    expect(stdout.split('\n')).toEqual([
      'AWS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE 1',
      'True 444',
    ]);
  });

  test('are there for commands and beside another call, and a call can name others', async () => {
    const container = await make({ ca: cert }).acquire();
    const print = ['sh', '-c', 'echo $SSL_CERT_FILE; head -c 10 $SSL_CERT_FILE'];
    const [one, other] = await Promise.all([
      container.execute(print),
      container.execute(print, { env: { SSL_CERT_FILE: '/dev/null' } }),
    ]);
    expect(one.stdout).toMatch(/^\/dev\/shm\/\S+\n-----BEGIN$/);
    expect(other.stdout).toBe('/dev/null\n');
  });

  test('are not there where none are given', async () => {
    const { stdout } = await make().run(
      'import os; print("SSL_CERT_FILE" in os.environ, os.listdir("/dev/shm"))',
    );
    expect(stdout).toBe('False []');
  });

  test('that are none are refused', () => {
    expect(() => make({ ca: '/etc/ssl/ca.pem' })).toThrow(
      "network.ca must be certificates in PEM: what such a file holds, not its name; got '/etc/ssl/ca.pem'",
    );
    const nothing = '-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n';
    expect(() => make({ ca: nothing })).toThrow('network.ca has something in it that is no cert');
  });
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
