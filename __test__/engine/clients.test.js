'use strict';

// That the clients people use find the proxy by themselves, and come through it: with the certificates that the
// usual variables name, from an index of packages, over HTTP/2, and with what else they say to proxies.

const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const os = require('node:os');
const path = require('node:path');
const { buffer } = require('node:stream/consumers');

const { findProgram } = require('../../harness/command');
const { wheelsOf } = require('../../harness/packages');
const { Pools, RUNTIME, address } = require('../support/engine');
const { certificateFor } = require('../support/servers');

const NAME = 'api.test';
const TRUST = '/tmp/trust.pem';
const PACKAGES = '/tmp/packages';
const LARGE = Buffer.alloc(3 << 20, 'scientist-pool ');
const { key, cert } = certificateFor(NAME);

const pools = new Pools();

const programs = ['git', 'curl'].every((name) => findProgram(name));
const ofMachine = address() === 'local' && !RUNTIME && programs;

/** Folders: of the wheels, and with a repository in it. */
let files;
let repository;
let servers;

const isFile = (name) => fs.statSync(name, { throwIfNoEntry: false })?.isFile();

/** What the hosts answer, both of HTTP and of HTTPS, to which version of HTTP ever. */
async function answer(request, response) {
  const { method, url, httpVersion } = request;
  const { pathname } = new URL(url, 'http://host');
  const file = [files, repository].map((folder) => path.join(folder, pathname)).find(isFile);
  if (pathname === '/large') response.end(LARGE);
  else if (pathname === '/moved') response.writeHead(302, { location: '/at?last' }).end();
  else if (pathname === '/nothing') response.writeHead(204).end();
  else if (pathname.startsWith('/simple/')) {
    response.writeHead(200, { 'content-type': 'text/html' }).end(linksTo(pathname.split('/')[2]));
  } else if (method === 'POST') {
    const digest = createHash('sha256')
      .update(await buffer(request))
      .digest('hex');
    response.end(digest);
  } else if (file) response.end(fs.readFileSync(file));
  else if (pathname.includes('.')) response.writeHead(404).end();
  else response.end(`${method} ${url} ${httpVersion}`);
}

/** A page of an index: the files of a package. */
function linksTo(name) {
  const isOf = (file) => file.split('-')[0].toLowerCase().replace(/[._]/g, '-') === name;
  const own = fs.readdirSync(files).filter(isOf);
  return own.map((file) => `<a href="/${file}">${file}</a>`).join('\n');
}

/** A bare repository of one commit, as hosts without a program of git's have it; gives its folder. */
function makeRepository() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clients-'));
  const git = (...args) => execFileSync('git', args, { cwd: folder });
  git('init', '-q', 'work');
  fs.writeFileSync(path.join(folder, 'work/greeting'), 'hello\n');
  git('-C', 'work', 'add', '.');
  const who = ['-c', 'user.name=tester', '-c', 'user.email=tester@example.org'];
  git('-C', 'work', ...who, 'commit', '-qm', 'Greet');
  git('clone', '-q', '--bare', 'work', 'repository.git');
  git('-C', 'repository.git', 'update-server-info');
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
});

/** Variables by which clients are told whom to trust, and the packages that the test brings. */
const env = () => ({
  ...{ SSL_CERT_FILE: TRUST, REQUESTS_CA_BUNDLE: TRUST, PIP_CERT: TRUST, CURL_CA_BUNDLE: TRUST },
  ...{ GIT_SSL_CAINFO: TRUST, PYTHONPATH: PACKAGES, HOME: '/tmp' },
  ...{ HTTP: urls().http, HTTPS: urls().https },
});

/** A container that reaches the two servers. */
async function acquire(options) {
  const allow = servers.map(({ port }) => `${NAME}:${port}`);
  const network = { allow, hosts: { [NAME]: '127.0.0.1' } };
  const tmpfs = { '/tmp': 'rw,nosuid,nodev,exec,size=256m,mode=1777' };
  const limits = { memory: '512m', tmpfs, cpuQuota: 200_000 };
  const pool = pools.make({ poolSize: 1, network, ...limits, ...options });
  const container = await pool.acquire();
  await container.writeFiles({ 'trust.pem': cert });
  return container;
}

beforeAll(async () => {
  files = await wheelsOf(['pip', 'requests', 'httpx[http2]', 'aiohttp'], '3.11');
  repository = ofMachine ? makeRepository() : files;
  const secure = { key, cert, allowHTTP1: true };
  servers = [
    await listen(http.createServer(answer)),
    await listen(http2.createSecureServer(secure, answer)),
  ];
}, 300_000);
afterAll(async () => {
  await pools.close();
  for (const server of servers ?? []) server.close();
  if (ofMachine && repository) fs.rmSync(repository, { recursive: true });
});

describe('in an image of Python', () => {
  let container;
  beforeAll(async () => {
    container = await acquire({ image: 'python:3.11-slim' });
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
});

(ofMachine ? describe : describe.skip)('with the programs of this machine', () => {
  let container;
  beforeAll(async () => {
    container = await acquire({ image: 'host' });
  });

  async function ran(argv) {
    const variables = Object.entries(env()).map(([name, value]) => `${name}=${value}`);
    const command = ['env', ...variables, ...argv];
    const { stdout, stderr, exitCode } = await container.executeCommand(command);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    return stdout;
  }

  test.each(['http', 'https'])('curl, by %s', async (scheme) => {
    const url = urls()[scheme];
    const version = scheme === 'http' ? '1.1' : '2.0';
    expect(await ran(['curl', '-sS', `${url}/a`])).toBe(`GET /a ${version}`);
    const digest = createHash('sha256').update(LARGE).digest('hex');
    await ran(['curl', '-sS', '-o', '/tmp/large', `${url}/large`]);
    // Of one as large it asks first whether it is to come.
    expect(await ran(['curl', '-sS', '--data-binary', '@/tmp/large', url])).toBe(digest);
    expect(await ran(['curl', '-sS', '-T', '/tmp/large', '-X', 'POST', `${url}/b`])).toBe(digest);
  });

  test.each(['http', 'https'])('git clone, by %s', async (scheme) => {
    await ran(['git', 'clone', '-q', `${urls()[scheme]}/repository.git`, `/tmp/of-${scheme}`]);
    expect(await ran(['cat', `/tmp/of-${scheme}/greeting`])).toBe('hello\n');
  });
});
