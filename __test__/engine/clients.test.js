'use strict';

// That the clients people use find the proxy by themselves, and come through it: with the certificates that the
// usual variables name, from an index of packages, over HTTP/2, and with what else they say to proxies.

const { execFileSync, spawn } = require('node:child_process');
const { createHash, randomBytes } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const os = require('node:os');
const path = require('node:path');
const { buffer } = require('node:stream/consumers');

const { wheelsOf } = require('../../harness/packages');
const { Pools } = require('../support/engine');
const { authority } = require('../support/servers');

const NAME = 'api.test';
/** Serves those alone who have the secret, and tells everybody what they have said. */
const LOCKED = 'locked.test';
/** With what is written in another way in URLs and in JSON. */
const VALUE = `s3cr/t:p@ss+w%rd"${randomBytes(12).toString('hex')}`;
const PAIR = Buffer.from(`user:${VALUE}`).toString('base64');
const PACKAGES = '/tmp/packages';
const LARGE = Buffer.alloc(3 << 20, 'scientist-pool ');
const signer = authority();

const pools = new Pools();

/** Folders: of the wheels, and with a repository in it. */
let files;
let repository;
let servers;
/** What the locked host has been told. */
const heard = [];

const isFile = (name) => fs.statSync(name, { throwIfNoEntry: false })?.isFile();

/** What the hosts answer, both of HTTP and of HTTPS, to which version of HTTP ever. */
async function answer(request, response) {
  const { method, url, httpVersion } = request;
  const { pathname } = new URL(url, 'http://host');
  const file = path.join(files, pathname);
  if (pathname === '/large') response.end(LARGE);
  else if (pathname === '/moved') response.writeHead(302, { location: '/at?last' }).end();
  else if (pathname === '/nothing') response.writeHead(204).end();
  else if (pathname.startsWith('/repository.git/')) await serveGit(request, response);
  else if (pathname.startsWith('/simple/')) {
    response.writeHead(200, { 'content-type': 'text/html' }).end(linksTo(pathname.split('/')[2]));
  } else if (method === 'POST') {
    const digest = createHash('sha256')
      .update(await buffer(request))
      .digest('hex');
    response.end(digest);
  } else if (isFile(file)) response.end(fs.readFileSync(file));
  else response.end(`${method} ${url} ${httpVersion}`);
}

async function answerLocked(request, response) {
  const { authorization = '' } = request.headers;
  heard.push(authorization);
  response.setHeader('x-heard', authorization);
  if (![`Bearer ${VALUE}`, `Basic ${PAIR}`].includes(authorization)) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="locked"' }).end();
  } else if (request.url === '/heard') {
    response.end(`${VALUE} ${PAIR} ${request.httpVersion}`);
  } else await answer(request, response);
}

/** What git itself answers, by CGI (RFC 3875). */
async function serveGit(request, response) {
  const { method, url, headers } = request;
  const { pathname, search } = new URL(url, 'http://host');
  const env = {
    ...{ GIT_PROJECT_ROOT: repository, GIT_HTTP_EXPORT_ALL: '1', REQUEST_METHOD: method },
    ...{ PATH_INFO: pathname, QUERY_STRING: search.slice(1) },
    CONTENT_TYPE: headers['content-type'] ?? '',
    HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    HTTP_GIT_PROTOCOL: headers['git-protocol'] ?? '',
  };
  const git = spawn('git', ['http-backend'], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(git.stdin);
  const said = await buffer(git.stdout);
  const end = said.indexOf('\r\n\r\n');
  for (const line of said.toString('latin1', 0, end).split('\r\n')) {
    const [name, value] = line.split(': ');
    if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.end(said.subarray(end + 4));
}

/** A page of an index: the files of a package. */
function linksTo(name) {
  const isOf = (file) => file.split('-')[0].toLowerCase().replace(/[._]/g, '-') === name;
  const own = fs.readdirSync(files).filter(isOf);
  return own.map((file) => `<a href="/${file}">${file}</a>`).join('\n');
}

/** A bare repository of one commit, to which can be pushed; gives its folder. */
function makeRepository() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clients-'));
  const git = (...args) => execFileSync('git', args, { cwd: folder });
  git('init', '-q', '-b', 'main', 'work');
  fs.writeFileSync(path.join(folder, 'work/greeting'), 'hello\n');
  git('-C', 'work', 'add', '.');
  const who = ['-c', 'user.name=tester', '-c', 'user.email=tester@example.org'];
  git('-C', 'work', ...who, 'commit', '-qm', 'Greet');
  git('clone', '-q', '--bare', 'work', 'repository.git');
  git('-C', 'repository.git', 'config', 'http.receivepack', 'true');
  return folder;
}

async function listen(server) {
  const lines = new Set();
  server.on('connection', (line) => lines.add(line) && line.on('close', () => lines.delete(line)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const line of lines) line.destroy();
  };
  return { port: server.address().port, close };
}

const urls = () => ({
  http: `http://${NAME}:${servers[0].port}`,
  https: `https://${NAME}:${servers[1].port}`,
  locked: `https://${LOCKED}:${servers[2].port}`,
});

const env = () => ({
  ...{ PYTHONPATH: PACKAGES, HOME: '/tmp' },
  ...{ HTTP: urls().http, HTTPS: urls().https },
  ...{ LOCKED: urls().locked, HOST: new URL(urls().locked).host },
});

/** A container that reaches the servers, and has a secret for the locked one. */
async function acquire(image) {
  const [, , { port }] = servers;
  const locked = [`${LOCKED}:${port}`];
  const allow = [`${NAME}:${servers[0].port}`, `${NAME}:${servers[1].port}`, ...locked];
  const hosts = { [NAME]: '127.0.0.1', [LOCKED]: '127.0.0.1' };
  const tmpfs = { '/tmp': 'rw,nosuid,nodev,exec,size=256m,mode=1777' };
  const pool = pools.make({
    ...{ image, poolSize: 1, memory: '512m', tmpfs, cpuQuota: 200_000 },
    network: { allow, hosts, ca: signer.pem },
    secrets: { TOKEN: { value: VALUE, hosts: locked } },
  });
  // With the time that an image takes which nobody has used before.
  const container = await pool.acquire({ timeout: 200_000 });
  const netrc = `import os
os.mkdir("/tmp/home")
open("/tmp/home/.netrc", "w").write("machine ${LOCKED} login user password " + os.environ["TOKEN"])`;
  expect(await container.execute(netrc)).toMatchObject({ stderr: '', exitCode: 0 });
  return container;
}

/**
 * What is shown by who uses the secret, each line as a text. The host has the value alone, and nobody in the
 * container has it.
 */
async function shownOf(work) {
  heard.length = 0;
  const shown = await work();
  const said = heard.filter((each) => each !== '');
  expect(said.length).toBeGreaterThan(0);
  expect(said.filter((each) => ![`Bearer ${VALUE}`, `Basic ${PAIR}`].includes(each))).toEqual([]);
  for (const form of [VALUE, PAIR, Buffer.from(VALUE).toString('base64').slice(2, -4)])
    expect(shown).not.toContain(form);
  return shown.split('\n');
}

beforeAll(async () => {
  files = await wheelsOf(['pip', 'requests', 'httpx[http2]', 'aiohttp'], '3.11');
  repository = makeRepository();
  const secure = (name) => ({ ...signer.certify(name), allowHTTP1: true });
  servers = [
    await listen(http.createServer(answer)),
    await listen(http2.createSecureServer(secure(NAME), answer)),
    await listen(http2.createSecureServer(secure(LOCKED), answerLocked)),
  ];
}, 300_000);
afterAll(async () => {
  await pools.close();
  for (const server of servers ?? []) server.close();
  if (repository) fs.rmSync(repository, { recursive: true });
});

describe('in an image of Python', () => {
  let container;
  beforeAll(async () => {
    container = await acquire('python:3.11-slim');
    const pip = fs.readdirSync(files).find((file) => file.startsWith('pip-'));
    const { stdout, stderr } = await container.execute(
      `
import subprocess, sys, urllib.request, os
urllib.request.urlretrieve(os.environ["HTTPS"] + "/${pip}", "/tmp/${pip}")
subprocess.run([sys.executable, "/tmp/${pip}/pip", "install", "--quiet", "--no-cache-dir", "--target", "${PACKAGES}",
  "--index-url", os.environ["HTTPS"] + "/simple", "requests", "httpx[http2]", "aiohttp", "pip"], check=True)
print("installed")`,
      env(),
      [],
      { timeout: 200_000 },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'installed', stderr: '' });
  }, 300_000);

  /** What a script prints, line by line, with URL as the base of either scheme. */
  async function said(script, scheme) {
    const begin = `import os\nURL = os.environ["${scheme.toUpperCase()}"]\n`;
    const result = await container.execute(begin + script, env(), [], { timeout: 60_000 });
    expect(result.stderr).toBe('');
    return result.stdout.split('\n');
  }

  const digest = createHash('sha256').update(LARGE).digest('hex');
  const HASH = 'import hashlib; sha = lambda data: hashlib.sha256(data).hexdigest()';

  describe.each(['http', 'https'])('by %s', (scheme) => {
    test('urllib', async () => {
      const script = `
from urllib.request import Request, urlopen
${HASH}
print(urlopen(URL + "/a?b=c%20d").read().decode())
print(urlopen(URL + "/moved").read().decode())
print(urlopen(Request(URL + "/nothing", method="HEAD")).status)
data = urlopen(URL + "/large").read()
print(sha(data))
print(urlopen(Request(URL + "/", data)).read().decode())`;
      const at = ['GET /a?b=c%20d 1.1', 'GET /at?last 1.1', '204'];
      expect(await said(script, scheme)).toEqual([...at, digest, digest]);
    });

    test('http.client, one request after another over one connection', async () => {
      const open =
        scheme === 'http'
          ? 'line = HTTPConnection("127.0.0.1", 3128); base = URL'
          : 'line = HTTPSConnection("127.0.0.1", 3128); base = ""; line.set_tunnel(host.hostname, host.port)';
      const script = `
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit
${HASH}
host = urlsplit(URL)
${open}
def ask(*request, **how):
    line.request(*request, **how)
    return line.getresponse().read()
print(ask("GET", base + "/a").decode())
data = ask("GET", base + "/large")
print(ask("POST", base + "/", data).decode())
parts = (data[at : at + 100_000] for at in range(0, len(data), 100_000))
print(ask("POST", base + "/", parts, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}).decode())`;
      expect(await said(script, scheme)).toEqual(['GET /a 1.1', digest, digest]);
    });

    test('requests', async () => {
      const script = `
import requests
${HASH}
with requests.Session() as session:
    print(session.get(URL + "/a").text)
    print(session.get(URL + "/moved").text)
    print(session.head(URL + "/nothing").status_code)
    data = session.get(URL + "/large").content
    print(session.post(URL, data).text)
    print(session.post(URL, (data[at : at + 100_000] for at in range(0, len(data), 100_000))).text)`;
      const at = ['GET /a 1.1', 'GET /at?last 1.1', '204'];
      expect(await said(script, scheme)).toEqual([...at, digest, digest]);
    });

    test('httpx, over HTTP/2 where there is TLS', async () => {
      const script = `
import httpx
${HASH}
with httpx.Client(http2=True) as client:
    answer = client.get(URL + "/a")
    print(answer.text, answer.http_version)
    data = client.get(URL + "/large").content
    print(client.post(URL, content=data).text)
    print(client.post(URL, content=(data[at : at + 100_000] for at in range(0, len(data), 100_000))).text)`;
      const first = scheme === 'http' ? 'GET /a 1.1 HTTP/1.1' : 'GET /a 2.0 HTTP/2';
      expect(await said(script, scheme)).toEqual([first, digest, digest]);
    });

    test('aiohttp, many requests at once', async () => {
      const script = `
import aiohttp, asyncio
${HASH}
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async def get(url):
            async with session.get(url) as answer: return await answer.read()
        print(*sorted({(await each).decode() for each in asyncio.as_completed([get(URL + f"/{n}") for n in range(30)])})[:2])
        data = await get(URL + "/large")
        async with session.post(URL, data=data) as answer: print(await answer.text())
        async def parts():
            for at in range(0, len(data), 100_000): yield data[at : at + 100_000]
        async with session.post(URL, data=parts()) as answer: print(await answer.text())
        async with session.post(URL, data=data, expect100=True) as answer: print(await answer.text())
asyncio.run(main())`;
      const first = 'GET /0 1.1 GET /1 1.1';
      expect(await said(script, scheme)).toEqual([first, digest, digest, digest]);
    });

    test('pip download', async () => {
      const script = `
import subprocess, sys, glob
trusted = ["--trusted-host", "${NAME}"] if URL.startswith("http:") else []
subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir", "--no-deps", "--dest", "/tmp/" + URL[:5],
  "--index-url", URL + "/simple", *trusted, "requests"], check=True)
print(len(glob.glob("/tmp/" + URL[:5] + "/requests-*.whl")))`;
      expect(await said(script, scheme)).toEqual(['1']);
    });
  });

  describe('with a secret', () => {
    /** The lines that a script shows: of each request what the host says that it was told, and then its body. */
    async function shown(script) {
      const begin = `import os
TOKEN, URL = os.environ["TOKEN"], os.environ["LOCKED"] + "/heard"
BEARER = {"Authorization": "Bearer " + TOKEN}
def show(heard, body): print(heard, body)
`;
      return shownOf(async () => {
        const options = { timeout: 60_000 };
        const result = await container.execute(
          `${begin}${script}\nprint(TOKEN)`,
          ...[env(), [], options],
        );
        expect(result.stderr).toBe('');
        return result.stdout;
      });
    }

    test.each([
      [
        'urllib',
        `
from urllib.request import HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, Request, build_opener, urlopen
passwords = HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, URL, "user", TOKEN)
by_password = build_opener(HTTPBasicAuthHandler(passwords))
for answer in [urlopen(Request(URL, headers=BEARER)), by_password.open(URL)]:
    show(answer.headers["x-heard"], answer.read().decode())`,
      ],
      [
        'http.client',
        `
import base64
from http.client import HTTPSConnection
from urllib.parse import urlsplit
line = HTTPSConnection("127.0.0.1", 3128)
line.set_tunnel(urlsplit(URL).hostname, urlsplit(URL).port)
for said in [BEARER["Authorization"], "Basic " + base64.b64encode(b"user:" + TOKEN.encode()).decode()]:
    line.request("GET", "/heard", headers={"Authorization": said})
    answer = line.getresponse()
    show(answer.headers["x-heard"], answer.read().decode())`,
      ],
      [
        'requests',
        `
import requests
with requests.Session() as session:
    for how in [{"headers": BEARER}, {"auth": ("user", TOKEN)}, {}]:
        # For who has neither.
        if not how: os.environ["NETRC"] = "/tmp/home/.netrc"
        answer = session.get(URL, **how)
        show(answer.headers["x-heard"], answer.text)`,
      ],
      [
        'httpx',
        `
import httpx
with httpx.Client(http2=True) as client:
    for how in [{"headers": BEARER}, {"auth": ("user", TOKEN)}, {"auth": httpx.NetRCAuth("/tmp/home/.netrc")}]:
        answer = client.get(URL, **how)
        show(answer.headers["x-heard"], answer.text)`,
      ],
      [
        'aiohttp',
        `
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        for url, how in [(URL, {"headers": BEARER}), (URL.replace("//", f"//user:{TOKEN}@"), {})]:
            async with session.get(url, **how) as answer:
                show(answer.headers["x-heard"], await answer.text())
asyncio.run(main())`,
      ],
    ])('%s', async (client, script) => {
      const lines = await shown(script);
      const placeholder = lines.pop();
      const [bearer, ...basic] = lines.map((line) => line.split(' '));
      const version = client === 'httpx' ? '2.0' : '1.1';
      expect(bearer).toEqual(['Bearer', placeholder, placeholder, expect.any(String), version]);
      expect(basic.length).toBeGreaterThan(0);
      for (const [scheme, pair, plain] of basic) {
        expect([scheme, plain]).toEqual(['Basic', placeholder]);
        // But for the letters at its ends, which it shares with what is around it.
        const decoded = Buffer.from(pair, 'base64').toString('latin1');
        expect(decoded.slice('user:'.length + 1, -1)).toBe(placeholder.slice(1, -1));
      }
    });

    test.each([
      ['in the URL of its index', '"https://user:" + TOKEN + "@" + os.environ["HOST"]'],
      ['in netrc', 'os.environ["LOCKED"]'],
    ])('pip install, %s', async (_, index) => {
      const lines = await shown(`
import subprocess, sys
os.environ["NETRC"] = "/tmp/home/.netrc"
index = ${index}
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps", "--upgrade", "--target",
  "/tmp/locked", "--index-url", index + "/simple", "idna"], check=True)
print(len(os.listdir("/tmp/locked/idna")) > 0)`);
      expect(lines[0]).toBe('True');
    });
  });
});

describe('in an image of curl and git', () => {
  let container;
  beforeAll(async () => {
    container = await acquire('buildpack-deps:bookworm-scm');
  }, 300_000);

  async function ran(script) {
    const command = ['sh', '-ec', script];
    const options = { env: env(), timeout: 60_000 };
    const { stdout, stderr, exitCode } = await container.executeCommand(command, options);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    return stdout;
  }

  test.each(['http', 'https'])('curl, by %s', async (scheme) => {
    const url = urls()[scheme];
    const version = scheme === 'http' ? '1.1' : '2.0';
    expect(await ran(`curl -sS ${url}/a`)).toBe(`GET /a ${version}`);
    const digest = createHash('sha256').update(LARGE).digest('hex');
    await ran(`curl -sS -o /tmp/large ${url}/large`);
    // Of one as large it asks first whether it is to come.
    expect(await ran(`curl -sS --data-binary @/tmp/large ${url}`)).toBe(digest);
    expect(await ran(`curl -sS -T /tmp/large -X POST ${url}/b`)).toBe(digest);
  });

  test.each(['http', 'https'])('git clone, by %s', async (scheme) => {
    await ran(`git clone -q ${urls()[scheme]}/repository.git /tmp/of-${scheme}`);
    expect(await ran(`cat /tmp/of-${scheme}/greeting`)).toBe('hello\n');
  });

  test.each([
    ['a header', '-H "Authorization: Bearer $TOKEN"'],
    ['a token', '--oauth2-bearer "$TOKEN"'],
    ['a password', '-u "user:$TOKEN"'],
    ['a password that is asked for', '--anyauth -u "user:$TOKEN"'],
    ['netrc', '--netrc-file /tmp/home/.netrc'],
  ])('curl with a secret, as %s', async (_, how) => {
    const shown = await shownOf(() => ran(`curl -sS ${how} $LOCKED/heard; echo; echo $TOKEN`));
    const [[answered, , version], placeholder] = [shown[0].split(' '), shown[1]];
    expect([answered, version]).toEqual([placeholder, '2.0']);
  });

  test.each([
    ['in the URL', 'git clone https://user:$TOKEN@$HOST/repository.git'],
    [
      'in a header',
      'git -c http.extraHeader="Authorization: Bearer $TOKEN" clone $LOCKED/repository.git',
    ],
    ['in netrc', 'HOME=/tmp/home git clone $LOCKED/repository.git'],
    [
      'of a helper',
      `git -c credential.helper='!echo username=user; echo password=$TOKEN; true' clone $LOCKED/repository.git`,
    ],
  ])('git clone with a secret, %s', async (_, clone) => {
    const script = `${clone} -q /tmp/cloned; cat /tmp/cloned/greeting /tmp/cloned/.git/config`;
    const [greeting] = await shownOf(() => ran(`${script}; rm -r /tmp/cloned`));
    expect(greeting).toBe('hello');
  });

  test('git push with a secret, of more than fits into one piece', async () => {
    await shownOf(() =>
      ran(`
git clone -q https://user:$TOKEN@$HOST/repository.git /tmp/pushed
cd /tmp/pushed
head -c 3000000 /dev/urandom > noise
git add noise
git -c user.name=tester -c user.email=tester@example.org commit -qm 'Make noise'
git push -q origin HEAD:noise`),
    );
    const branch = path.join(repository, 'repository.git/refs/heads/noise');
    expect(fs.readFileSync(branch, 'utf8')).toBe(await ran('git -C /tmp/pushed rev-parse HEAD'));
  });
});
