'use strict';

// What hostile scripts try to get out by, past the list of hosts that a pool allows; and that each of them gets
// through where nothing is in its way: where the pool allows it, or on this machine itself.

const { execFile } = require('node:child_process');
const dgram = require('node:dgram');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { promisify } = require('node:util');

const { Pools, outside, until } = require('../support/engine');
const { certificateFor } = require('../support/servers');

const pools = new Pools();
afterEach(pools.close);

const MiB = 1 << 20;
const NAME = 'api.test';
const OTHER = 'other.test';
const hosts = { [NAME]: '127.0.0.1', [OTHER]: '127.0.0.1' };
const CANARY = 'canary-of-a-host';
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Length: ${CANARY.length}\r\n\r\n${CANARY}`;
const WORDS = fs.readFileSync(path.join(__dirname, 'scenarios', 'egress.py'), 'utf8');

/** A host that answers whoever has come to the end of a head, and keeps the beginning of what each one says. */
class Listener {
  #server;
  #lines = new Set();
  /** Of each connection: its bytes, and how many there were. */
  heard = [];

  static async start(options) {
    const listener = new Listener();
    const take = (line) => listener.#take(line);
    listener.#server = options ? tls.createServer(options, take) : net.createServer(take);
    listener.#server.listen(0, '127.0.0.1');
    await once(listener.#server, 'listening');
    return listener;
  }

  get port() {
    return this.#server.address().port;
  }

  #take(line) {
    const own = { text: '', bytes: 0 };
    this.heard.push(own);
    this.#lines.add(line);
    line.on('error', () => undefined);
    line.on('close', () => this.#lines.delete(line));
    line.on('data', (data) => {
      own.bytes += data.length;
      if (own.text.length < 64 << 10) own.text += data.toString('latin1');
      if (!own.isAnswered && /\r?\n\r?\n/.test(own.text)) {
        own.isAnswered = true;
        line.write(ANSWER);
      }
    });
  }

  close() {
    this.#server.close();
    for (const line of this.#lines) line.destroy();
  }
}

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
async function said(pool, script) {
  const { stdout, stderr } = await pool.run(`${WORDS}\n${script}`, {
    ...{ env: variables(), timeout: 120_000 },
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
  test('no connection is made', async () => {
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

  test('no datagram is sent, to a resolver or to whomever', async () => {
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

  test('no proxy of another container is reached', async () => {
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
  test('no address is reached by itself, however it is spelt', async () => {
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

  test('no other port of an allowed name is', async () => {
    const script = `
to = env["NAME"] + ":" + env["OTHER_PORT"]
head = b"GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n"
host = to.encode()
named = ("%s:%s" % (env["NAME"], env["PORT"])).encode()
tell(say(tunnel(to), b"GET / HTTP/1.1\\r\\n\\r\\n"), say(dial(), head % (host, host)), say(dial(), head % (host, named)))`;
    await expectStopped(script, { allow: [`${NAME}:${other.port}`] });
  });

  test.each([
    ['under the name of another', 'env["OTHER"]'],
    ['that says no name', 'None'],
  ])('no TLS %s goes through a tunnel', async (_, name) => {
    const script = `
trust = ssl.create_default_context(cadata=env["CERTIFICATE"])
trust.check_hostname = False
try:
    stream = trust.wrap_socket(tunnel(env["NAME"] + ":" + env["SECURE_PORT"]), server_hostname=${name})
    tell(say(stream, b"GET / HTTP/1.1\\r\\n\\r\\n"))
except OSError: tell()`;
    await expectStopped(script, { opaque: true }, { allow: [`${NAME}:${secure.port}`] });
  });

  test('no request is made of another host at the same address', async () => {
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

/** Requests in which one reader sees another request, to `/smuggled`, that others do not. */
const inChunk = 'GET /smuggled HTTP/1.1\r\nX: x\r\n\r\n';
const chunks = `${inChunk.length.toString(16)}\r\n${inChunk}\r\n0\r\n\r\n`;
const cut = `0\r\n\r\n${inChunk}`;
const SMUGGLING = {
  'both lengths, chunks last': [`Content-Length: ${cut.length}\r\nTransfer-Encoding: chunked`, cut],
  'both lengths, chunks first': ['Transfer-Encoding: chunked\r\nContent-Length: 4', chunks],
  'two lengths': [`Content-Length: 0\r\nContent-Length: ${inChunk.length}`, inChunk],
  'a length of two': [`Content-Length: 0, ${inChunk.length}`, inChunk],
  'chunks behind a folded line': [
    `Content-Length: ${cut.length}\r\nTransfer-Encoding:\r\n chunked`,
    cut,
  ],
  'chunks in a folded line': [
    `Content-Length: ${cut.length}\r\nX: a\r\n Transfer-Encoding: chunked`,
    cut,
  ],
  'chunks behind a bare LF': [
    `Content-Length: ${cut.length}\r\nX: a\nTransfer-Encoding: chunked`,
    cut,
  ],
  'chunks behind a bare CR': [
    `Content-Length: ${cut.length}\r\nX: a\rTransfer-Encoding: chunked`,
    cut,
  ],
  'chunks before a colon': [`Content-Length: ${cut.length}\r\nTransfer-Encoding : chunked`, cut],
  'chunks twice': [
    `Content-Length: ${cut.length}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity`,
    cut,
  ],
  'chunks behind a tab': [`Content-Length: ${cut.length}\r\nTransfer-Encoding:\x0bchunked`, cut],
  'a length that hops': ['Connection: Content-Length\r\nContent-Length: 4', `0\r\n\r${inChunk}`],
};

/** Which of a request's lengths a reader goes by. */
const READERS = ['chunks', 'first', 'last'];

/** The paths of the requests that a reader finds, who takes whatever it is given. */
function pathsIn(text, reader) {
  const paths = [];
  let rest = text;
  for (;;) {
    const head = /^[\r\n]*[A-Z]+ (\S+)[\s\S]*?\n\r?\n/.exec(rest);
    if (!head) return paths;
    paths.push(head[1]);
    rest = rest.slice(head[0].length);
    const lines = head[0].matchAll(/^[ \t]*content-length\s*:(.*)/gim);
    const lengths = [...lines].flatMap(([, value]) => value.match(/\d+/g) ?? []);
    const isChunked = /[\r\n][ \t]*transfer-encoding\s*:\s*chunked/i.test(head[0]);
    if (isChunked && (reader === 'chunks' || lengths.length === 0)) {
      for (let size = 1; size > 0; ) {
        const chunk = /^([0-9a-f]+)[^\n]*\n/i.exec(rest);
        size = chunk ? Number.parseInt(chunk[1], 16) : 0;
        rest = rest.slice((chunk?.[0].length ?? 0) + size).replace(/^\r?\n/, '');
      }
    } else {
      rest = rest.slice(Number(lengths.at(reader === 'first' ? 0 : -1) ?? 0));
    }
  }
}

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
    const found = allowed.heard.filter(({ text }) =>
      READERS.some((reader) => pathsIn(text, reader).includes('/smuggled')),
    );
    const numbers = found.map(({ text }) => Number(/x-number: (\d+)/i.exec(text)?.[1]));
    return Object.keys(SMUGGLING).filter((_, number) => numbers.includes(number));
  }

  test('by the proxy', async () => expect(await heardBy({})).toEqual([]), 60_000);

  test('in a tunnel of which nothing is looked at, each is', async () => {
    expect(await heardBy({ opaque: true })).toEqual(Object.keys(SMUGGLING));
  }, 120_000);
});

describe('what is used up', () => {
  /** The most memory of this process while something runs, beyond what it had. */
  async function growth(work) {
    global.gc?.();
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 20);
    try {
      await work();
      return Math.max(most, process.memoryUsage().rss) - before;
    } finally {
      clearInterval(watch);
    }
  }

  test('a head of 100 MB is not taken', async () => {
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
  }, 120_000);

  test('who says little at a time keeps no place from others', async () => {
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
  }, 120_000);

  test('thousands of connections have the places of one container, and no more', async () => {
    const script = `
import resource, select
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for _ in range(5000 // (soft - 50) + 1):
    if os.fork() == 0: break
streams = []
try:
    for _ in range(min(soft - 50, 5000)):
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
      let neighbour;
      const watch = setInterval(() => {
        open = Math.max(open, pool.stats().egress.open);
      }, 5);
      const grown = await growth(async () => {
        const options = { timeout: 8_000 };
        const over = container.execute(`${WORDS}\n${script}`, variables(), [], options);
        await until(() => open >= 16);
        neighbour = await said(pool, get);
        await over;
      });
      clearInterval(watch);
      await until(() => pool.stats().egress.open === 0);
      return { open, neighbour, grown };
    };
    const few = await crowd(16);
    expect(few.neighbour).toBe('through');
    // With the neighbour's.
    expect(few.open).toBeLessThanOrEqual(17);
    expect(few.grown).toBeLessThan(64 * MiB);
    const many = await crowd(1_000);
    expect(many.open).toBeGreaterThan(500);
  }, 120_000);

  // Where the engine does not listen in the container, a program in it does, and is no more than its scripts.
  (outside().hasInit ? test.skip : test)(
    'nor has who speaks in the place of the relay',
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
      const pool = make();
      let sent;
      const grown = await growth(async () => {
        sent = Number(await said(pool, script));
      });
      expect(sent).toBeGreaterThan(MiB);
      expect(grown).toBeLessThan(64 * MiB);
    },
    60_000,
  );
});
