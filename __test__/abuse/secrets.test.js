'use strict';

// What scripts try so that they get at the secrets that they use; and that each of them gets there where nothing is in
// its way: without secrets, so that TLS is between script and host, or in the process that has them.

const { execFile } = require('node:child_process');
const { X509Certificate, createPrivateKey, randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { gzipSync } = require('node:zlib');

const { Pools } = require('../support/engine');
const { growth } = require('../support/growth');
const { authority, serve } = require('../support/servers');
const { Flood, Listener } = require('./listener');
const { SMUGGLING, smuggledIn } = require('./smuggling');

const pools = new Pools();
afterEach(pools.close);

const MiB = 1 << 20;
const NAME = 'api.test';
const OTHER = 'other.test';
const VALUE = `hush-${randomBytes(24).toString('hex')}`;
const WORDS = fs.readFileSync(path.join(__dirname, 'scenarios', 'egress.py'), 'utf8');
const signer = authority();

/** Takes whatever it is told, in HTTP/1.1 or in HTTP/2. */
let host;
/** Tells whatever it is asked for. */
let echo;
beforeAll(async () => {
  const own = signer.certify(NAME);
  host = await Listener.start({ ...own, ALPNProtocols: ['h2', 'http/1.1'] });
  echo = await serve((request, response) => {
    const { authorization, range, 'accept-encoding': coding = '' } = request.headers;
    const said = Buffer.from(`<<${authorization}>>`);
    const [, from, to] = /(\d+)-(\d*)/.exec(range ?? '') ?? [];
    response.setHeader('x-said', authorization);
    if (request.url === '/packed' || coding.includes('gzip')) {
      response.setHeader('content-encoding', 'gzip').end(gzipSync(said));
    } else if (range) {
      response.writeHead(206).end(said.subarray(Number(from), to ? Number(to) + 1 : undefined));
    } else response.end(said);
  }, own);
});
beforeEach(() => {
  host.heard = [];
});
afterAll(() => {
  for (const server of [host, echo]) server?.close();
});

const allow = () => [host, echo].map(({ port }) => `${NAME}:${port}`);

/** A pool that allows the hosts, and has a secret for them. */
const make = (options = {}) =>
  pools.make({
    poolSize: 1,
    network: { allow: allow(), hosts: { [NAME]: '127.0.0.1' }, ca: signer.pem },
    secrets: { TOKEN: { value: VALUE, hosts: allow() } },
    ...options,
  });

const variables = () => ({ NAME, OTHER, PORT: `${host.port}`, ECHO_PORT: `${echo.port}` });

/** What a script says in a container of a pool. */
async function said(pool, script, more = {}) {
  const env = { ...variables(), ...more };
  const { stdout, stderr } = await pool.run(`${WORDS}\n${script}`, { env, timeout: 120_000 });
  return stdout || stderr;
}

test('secrets/other_host: what has them is told to no other host at the same address', async () => {
  const script = `
to = env["NAME"] + ":" + env["PORT"]
evil = b"Host: " + env["OTHER"].encode()
own = b"Host: " + to.encode()
for target in [b"/", b"https://" + env["OTHER"].encode() + b"/"]:
    for lines in [evil, own + b"\\r\\n" + evil, evil + b"\\r\\n" + own, own + b"\\r\\n " + evil, b"X: a\\n" + evil, own + b"\\r" + evil]:
        say(sealed(to), b"GET " + target + b" HTTP/1.1\\r\\n" + lines + b"\\r\\nConnection: close\\r\\n\\r\\n")
print("done")`;
  const named = () => host.heard.some(({ text }) => text.toLowerCase().includes(OTHER));
  expect(await said(make(), script)).toBe('done');
  expect(named()).toBe(false);
  expect(await said(make({ secrets: {} }), script)).toBe('done');
  expect(named()).toBe(true);
});

test('secrets/smuggling: no request is within another that has them', async () => {
  const script = `
to = env["NAME"] + ":" + env["PORT"]
for number, (lines, body) in enumerate(json.loads(${JSON.stringify(JSON.stringify(Object.values(SMUGGLING)))})):
    rest = ("\\r\\nHost: %s\\r\\nX-Number: %d.\\r\\n%s\\r\\n\\r\\n%s" % (to, number, lines, body)).encode()
    say(sealed(to), b"POST / HTTP/1.1" + rest)
print("done")`;
  expect(await said(make(), script)).toBe('done');
  expect(host.heard.length).toBeGreaterThan(0);
  expect(smuggledIn(host.heard)).toEqual([]);
  expect(await said(make({ secrets: {} }), script)).toBe('done');
  expect(smuggledIn(host.heard)).toEqual(Object.keys(SMUGGLING));
});

test.each([
  [
    'in lines',
    ['http/1.1'],
    'b"GET / HTTP/1.1\\r\\nHost: %s\\r\\n" % to.encode()',
    'b"X: " + b"a" * 65000 + b"\\r\\n"',
  ],
  [
    // A preface, settings, and a head (RFC 9113) whose beginning is GET, https, / and indexed; and what continues it.
    'in frames',
    ['h2'],
    `b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) +
      bytes([0, 0, 3, 1, 0, 0, 0, 0, 1, 0x82, 0x87, 0x84])`,
    'bytes([0, 0x40, 0, 9, 0, 0, 0, 0, 1]) + b"\\0\\1x\\x7f\\xef\\x7e" + b"a" * (0x4000 - 6)',
  ],
])('secrets/long_head: one of 100 MB is not taken, %s', async (_, protocols, begin, more) => {
  const script = `
to = env["NAME"] + ":" + env["PORT"]
sent = 0
try:
    stream = sealed(to, ${JSON.stringify(protocols)})
    stream.sendall(${begin})
    more = ${more}
    while sent < 100 << 20:
        stream.sendall(more)
        sent += len(more)
except OSError: pass
print(sent >> 20)`;
  const most = () => Math.max(...host.heard.map(({ bytes }) => bytes));
  let sent;
  const grown = await growth(async () => {
    sent = Number(await said(make(), script));
  });
  expect(sent).toBeLessThan(10);
  expect(most()).toBeLessThan(MiB);
  expect(grown).toBeLessThan(64 * MiB);
  expect(await said(make({ secrets: {} }), script)).toBe('100');
  // But for what was on its way at the end: the kernel's buffers of each connection hold some MB.
  expect(most()).toBeGreaterThan(50 * MiB);
});

test('secrets/unread: what nobody hears does not gather on its way', async () => {
  const flow = async (hears, count) => {
    const flood = await Flood.start(hears, signer.certify(NAME));
    const own = [`${NAME}:${flood.port}`];
    const script = `
from concurrent.futures import ThreadPoolExecutor
to = env["NAME"] + ":${flood.port}"
begin = b"POST / HTTP/1.1\\r\\nHost: %s\\r\\nContent-Length: 99999999\\r\\n\\r\\n" % to.encode()
with ThreadPoolExecutor(${count}) as pool:
    print(max(pool.map(lambda _: fill(sealed(to), begin), range(${count}))) >> 20, flush=True)
os._exit(0)`;
    const network = { allow: own, hosts: { [NAME]: '127.0.0.1' }, ca: signer.pem };
    try {
      const secrets = { TOKEN: { value: VALUE, hosts: own } };
      return Number(await said(make({ network, secrets }), script));
    } finally {
      flood.close();
    }
  };
  let sent;
  const grown = await growth(async () => {
    sent = await flow(false, 20);
  });
  expect(sent).toBeLessThan(32);
  expect(grown).toBeLessThan(128 * MiB);
  expect(await flow(true, 1)).toBe(64);
});

test('secrets/pieces: no answer has one in pieces, packed, or in a head', async () => {
  const script = `
import gzip, urllib.error, urllib.request
trust = ssl.create_default_context()
trust.check_hostname = False
if "CA" in env: trust.load_verify_locations(cadata=env["CA"])
url = "https://%s:%s" % (env["NAME"], env["ECHO_PORT"])
def ask(path="/", **headers):
    request = urllib.request.Request(url + path, headers={"Authorization": env["TOKEN"], **headers})
    try: answer = urllib.request.urlopen(request, context=trust)
    except urllib.error.HTTPError as error: answer = error
    said = answer.read()
    return (gzip.decompress(said) if said[:2] == b"\\x1f\\x8b" else said).decode(), answer.headers.get("X-Said", "")
pieces = [ask(Range="bytes=%d-%d" % (at, at + 9))[0] for at in range(0, 80, 10)]
for said in ["".join(pieces), ask(**{"Accept-Encoding": "gzip"})[0], ask("/packed")[0], ask()[1]]:
    print(said.replace("\\n", " "))`;
  const lines = (await said(make(), script)).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines.join()).toContain('sp-secret-');
  for (let at = 0; at + 10 < VALUE.length; at += 1)
    expect(lines.join()).not.toContain(VALUE.slice(at, at + 10));
  // The host has told who asks it without a proxy.
  const env = { ...process.env, ...variables(), NAME: '127.0.0.1', TOKEN: VALUE, CA: signer.pem };
  const here = await promisify(execFile)('python3', ['-c', `${WORDS}\n${script}`], { env });
  const all = here.stdout.trim().split('\n');
  expect(all.map((line) => line.includes(VALUE))).toEqual([true, true, true, true]);
});

test('secrets/placeholder: that of another container is nothing but itself', async () => {
  const script = `
to = env["NAME"] + ":" + env["PORT"]
say(sealed(to), ("GET / HTTP/1.1\\r\\nHost: %s\\r\\nX-Token: %s\\r\\n\\r\\n" % (to, env["THEIRS"] or env["TOKEN"])).encode())`;
  const pool = make({ poolSize: 2 });
  const container = await pool.acquire();
  const { stdout: placeholder } = await container.execute('import os; print(os.environ["TOKEN"])');
  const heard = () => host.heard.map(({ text }) => /x-token: (\S+)/i.exec(text)?.[1]);
  await said(pool, script, { THEIRS: placeholder });
  expect(heard()).toEqual([placeholder]);
  await said(pool, script, { THEIRS: '' });
  expect(heard()).toEqual([placeholder, VALUE]);
});

describe('where secrets and keys could be found', () => {
  /** How a private key begins as the proxy has it (RFC 5958, for P-256), which has so many bytes. */
  const KEY = Buffer.from(
    '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02',
    'hex',
  );
  const KEY_LENGTH = 138;

  /** The private keys of that kind in this process's own memory. */
  function* keysHere() {
    const memory = fs.openSync('/proc/self/mem', 'r');
    try {
      for (const line of fs.readFileSync('/proc/self/maps', 'latin1').split('\n')) {
        const [, from, to] = /^(\w+)-(\w+) rw/.exec(line) ?? [];
        if (from === undefined) continue;
        const end = Number.parseInt(to, 16);
        for (let at = Number.parseInt(from, 16); at < end; at += 16 * MiB) {
          // Each goes on into the next, so that none is cut.
          const bytes = Buffer.alloc(Math.min(16 * MiB + KEY_LENGTH, end - at));
          try {
            fs.readSync(memory, bytes, 0, bytes.length, at);
          } catch {
            continue;
          }
          for (let found = bytes.indexOf(KEY); found >= 0; found = bytes.indexOf(KEY, found + 1))
            yield bytes.subarray(found, found + KEY_LENGTH);
        }
      }
    } finally {
      fs.closeSync(memory);
    }
  }

  /** Whether a key of this process's is that of a certificate. */
  function isHere(certificate) {
    for (const der of keysHere()) {
      try {
        const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
        if (certificate.checkPrivateKey(key)) return true;
      } catch {
        // It is no longer one.
      }
    }
    return false;
  }

  // Everything that a script can read: what it has been given, the memory of all processes that it can open, its
  // own among them, all files but devices, and what the proxy says.
  const look = `
import subprocess, sys
USE = """
import os, sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + os.environ["TOKEN"]})
kept = urllib.request.urlopen(request).read()
print("used", flush=True)
sys.stdin.read()
"""
to = env["NAME"] + ":" + env["PORT"]
wanted = [bytes.fromhex(word) for word in env["WANTED"].split()]
def report(place, data):
    for number, word in enumerate(wanted):
        if word in data: print(number, place)

pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
url = "https://%s:%s/" % (env["NAME"], env["ECHO_PORT"])
user = subprocess.Popen([sys.executable, "-c", USE, url], **pipes)
user.stdout.readline()

report("environment", str(dict(env)).encode())
def memory(pid):
    with open("/proc/%s/mem" % pid, "rb", 0) as memory, open("/proc/%s/maps" % pid) as maps:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, OverflowError, ValueError): pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    if pid == str(os.getpid()): continue
    for name in ("environ", "cmdline"):
        try: report(name, open("/proc/%s/%s" % (pid, name), "rb").read())
        except OSError: pass
    try:
        for data in memory(pid): report("memory of " + ("its own" if pid == str(user.pid) else pid), data)
    except OSError: pass
for top in ("/tmp", "/dev/shm", "/run", "/etc", "/var", "/home", "/root", "/opt", "/srv"):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path): report(path, open(path, "rb").read())
            except OSError: pass
for method in ("GET", "TRACE", "CONNECT"):
    for target in ("/", "/key", "*", "localhost:3128", "http://localhost:3128/key", "http://127.0.0.1:3128/", "https://" + to, to):
        report("proxy", say(dial(5), ("%s %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n" % (method, target)).encode()))
report("proxy", sealed(to).getpeercert(True))
print(open(env["SSL_CERT_FILE"]).read().split("-----BEGIN CERTIFICATE-----")[-1])
user.kill()`;

  test('secrets/value and secrets/keys: a script finds neither, and only this process has them', async () => {
    const inBase64 = [KEY, Buffer.from(VALUE)].map((bytes) =>
      bytes.toString('base64').slice(0, -4),
    );
    const hidden = [VALUE, KEY, ...inBase64, 'PRIVATE KEY-----\nM'];
    // Turned round, so that what looks does not find itself.
    const words = ['sp-secret-', ...hidden].map((word) => Buffer.from(word).toString('hex'));
    const all = await said(make({ memory: '256m' }), look, { WANTED: words.join(' ') });
    const [places, pem] = all.split('\n\n');
    const seen = places.split('\n').map((line) => [line.split(' ')[0], line.slice(2)]);
    expect(seen.filter(([number]) => number !== '0')).toEqual([]);
    // It looks where there is something to be found.
    expect(seen).toContainEqual(['0', 'environment']);
    expect(seen).toContainEqual(['0', 'memory of its own']);
    const certificate = new X509Certificate(`-----BEGIN CERTIFICATE-----\n${pem}`);
    expect(certificate.subject).toBe('CN=scientist-pool authority');
    expect(isHere(certificate)).toBe(true);
  });
});
