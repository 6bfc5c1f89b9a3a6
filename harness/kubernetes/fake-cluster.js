'use strict';

// An API server that gives the answers no real one gives on demand. Its "nodes" run the commands of an exec as
// processes of this machine.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { WebSocketServer } = require('ws');

const { processes } = require('../processes');

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;

class FakeCluster {
  pods = new Map();
  leases = new Map();
  /** Each request, as `METHOD path`. */
  seen = [];
  #version = 1;
  /** What has been told, each with its version: a watch begins where its list ended. */
  #told = [];
  #watches = new Set();
  #sockets = new Set();
  /** Those that run, by their pods' uids. */
  #firsts = new Map();

  /** The one that is taken; `undefined`: nobody is asked for one. */
  token = undefined;
  /** How many requests had another one. */
  turnedAway = 0;

  /** By watches. */
  toldBytes = 0;
  /** Whether streams are refused, and how often they have been. */
  refuses = false;
  refused = 0;

  /** What is answered in place of the usual, by `(method, path) => { status, body, headers } | undefined`. */
  script = () => undefined;
  /** What becomes of a pod that has been made. */
  run = (pod) => this.set(pod, running());

  /** `imagined`: nothing runs in its pods; what would be a supervisor there says what one says. */
  static async start({ imagined = false } = {}) {
    const cluster = new FakeCluster();
    cluster.imagined = imagined;
    cluster.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fake-cluster-'));
    cluster.server = http.createServer((request, response) => cluster.#answer(request, response));
    const streams = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => offered.has('v4.channel.k8s.io') && 'v4.channel.k8s.io',
    });
    // Idle connections are kept, as an API server does.
    cluster.server.keepAliveTimeout = 0;
    cluster.server.on('connection', (socket) => {
      cluster.#sockets.add(socket);
      socket.on('close', () => cluster.#sockets.delete(socket));
    });
    cluster.server.on('upgrade', (request, socket, head) => {
      const url = new URL(request.url, 'http://cluster');
      cluster.seen.push(`GET ${url.pathname}`);
      if (cluster.#turnsAway(request)) {
        socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
        return;
      }
      if (cluster.refuses) {
        cluster.refused += 1;
        socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
        return;
      }
      streams.handleUpgrade(request, socket, head, (stream) => cluster.#stream(url, stream));
    });
    await new Promise((resolve) => cluster.server.listen(0, '127.0.0.1', resolve));
    cluster.address = `http://127.0.0.1:${cluster.server.address().port}`;
    cluster.kubeconfig = path.join(cluster.folder, 'config');
    cluster.enterBy({});
    return cluster;
  }

  /** Writes the kubeconfig: `user` is what it has of one. */
  enterBy(user) {
    fs.writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'fake' },
        clusters: [{ name: 'fake', cluster: { server: this.address } }],
        users: [{ name: 'fake', user }],
        contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake', namespace: 'pool' } }],
      }),
    );
  }

  #turnsAway(request) {
    const isOther =
      this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`;
    this.turnedAway += Number(isOther);
    return isOther;
  }

  /** Changes a pod's status, and tells of it. */
  set(pod, status) {
    pod.status = status;
    this.tell('MODIFIED', pod);
  }

  tell(type, object) {
    object.metadata.resourceVersion = String(++this.#version);
    const line = `${JSON.stringify({ type, object: object })}\n`;
    this.#told.push({ version: this.#version, line });
    for (const watch of this.#watches) {
      this.toldBytes += line.length;
      watch.write(line);
    }
  }

  /** Ends all watches and streams, as a server does that is restarted. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Tells all watches that their version is too old. */
  expire() {
    const object = { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: '' };
    for (const watch of this.#watches) watch.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
  }

  delete(name) {
    const pod = this.pods.get(name);
    this.pods.delete(name);
    this.#end(name);
    this.tell('DELETED', pod);
    return pod;
  }

  /** Ends the processes of a pod, or of all: also those that are in sessions of their own, or have lost their parents. */
  #end(name = '') {
    if (this.imagined) return;
    const mark = `FAKE_POD=${this.address}/${name}`;
    for (const { pid } of processes()) {
      try {
        const variables = fs.readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
        const pod = variables.find((variable) => variable.startsWith('FAKE_POD='));
        if (name === '' ? pod?.startsWith(mark) : pod === mark) process.kill(pid, 'SIGKILL');
      } catch {
        // ended while we looked, or another user's
      }
    }
  }

  count(what) {
    return this.seen.filter((request) => request.startsWith(what)).length;
  }

  #answer(request, response) {
    const url = new URL(request.url, this.address);
    let text = '';
    request.on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      const { method } = request;
      this.seen.push(`${method} ${url.pathname}`);
      const body = text === '' ? undefined : JSON.parse(text);
      const refused = this.#turnsAway(request) ? refusal(401, 'Unauthorized') : undefined;
      const answer =
        refused ??
        this.script(method, url.pathname, body) ??
        this.#usual(method, url, body, response);
      if (answer === null) return;
      const { status = 200, body: said = {}, headers = {} } = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(said));
    });
  }

  #usual(method, url, body, response) {
    const [, kind, name] = /\/namespaces\/[^/]+\/(\w+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (url.pathname === '/version') {
      return { body: { gitVersion: 'v1.30.0', major: '1', minor: '30' } };
    }
    if (url.pathname.endsWith('/selfsubjectrulesreviews')) {
      const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
      return { body: { status: { incomplete: false, resourceRules: [all] } } };
    }
    const of = { pods: this.pods, leases: this.leases }[kind];
    if (of === undefined) return { body: { items: [] } };
    if (method === 'POST') {
      if (of.has(body.metadata.name)) return refusal(409, 'AlreadyExists');
      body.metadata.uid = `uid-${body.metadata.name}`;
      body.metadata.resourceVersion = String(++this.#version);
      of.set(body.metadata.name, body);
      if (kind === 'pods') {
        this.tell('ADDED', body);
        setImmediate(() => this.run(body));
      }
      return { status: 201, body: body };
    }
    if (name === undefined) {
      if (url.searchParams.has('watch')) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.flushHeaders();
        const since = Number(url.searchParams.get('resourceVersion'));
        for (const { version, line } of this.#told) if (version > since) response.write(line);
        this.#watches.add(response);
        response.on('close', () => this.#watches.delete(response));
        return null;
      }
      return {
        body: {
          metadata: { resourceVersion: String(this.#version) },
          items: [...of.values()],
        },
      };
    }
    if (!of.has(name)) return refusal(404, 'NotFound');
    if (method === 'DELETE') {
      if (kind === 'pods') return { body: this.delete(name) };
      const lease = of.get(name);
      const { resourceVersion } = body?.preconditions ?? {};
      if (resourceVersion !== undefined && resourceVersion !== lease.metadata.resourceVersion) {
        return refusal(409, 'Conflict');
      }
      of.delete(name);
      return { body: { kind: 'Status', status: 'Success' } };
    }
    if (method === 'PATCH') Object.assign(of.get(name).spec, body.spec);
    return { body: of.get(name) };
  }

  /** Starts a program in a pod. */
  #spawn(name, argv) {
    const { PATH, SCIENTIST_POOL_TEST_RUN } = process.env;
    const env = { PATH, SCIENTIST_POOL_TEST_RUN, FAKE_POD: `${this.address}/${name}` };
    const child = spawn(argv[0], argv.slice(1), { cwd: '/tmp', env });
    child.stdin.on('error', () => {});
    return child;
  }

  /** Process 1 of a pod, which is attached to again and again. */
  #first(name) {
    const pod = this.pods.get(name);
    const known = this.#firsts.get(pod.metadata.uid);
    if (known) return known;
    const { command, stdinOnce } = pod.spec.containers[0];
    const first = { child: this.#spawn(name, command), stdinOnce };
    this.#firsts.set(pod.metadata.uid, first);
    first.child.on('close', () => this.#firsts.delete(pod.metadata.uid));
    return first;
  }

  #stream(url, stream) {
    if (this.imagined) {
      if (url.pathname.endsWith('/exec')) imagine(stream);
      return;
    }
    const [, name, how] = /\/pods\/([^/]+)\/(attach|exec)$/.exec(url.pathname);
    const isExec = how === 'exec';
    const { child, stdinOnce } = isExec
      ? { child: this.#spawn(name, url.searchParams.getAll('command')), stdinOnce: true }
      : this.#first(name);
    const send = (channel, bytes) =>
      stream.readyState === stream.OPEN &&
      stream.send(Buffer.concat([Buffer.from([channel]), bytes]));
    stream.on('message', (data) => {
      if (data[0] === STDIN && child.stdin.writable) child.stdin.write(data.subarray(1));
    });
    stream.on('close', () => stdinOnce && child.stdin.end());
    stream.on('error', () => {});
    if (isExec) {
      child.stdout.on('data', (bytes) => send(STDOUT, bytes));
      child.stderr.on('data', (bytes) => send(STDERR, bytes));
    }
    child.on('close', (code, signal) => {
      const failure = {
        ...{ status: 'Failure', reason: 'NonZeroExitCode' },
        details: { causes: [{ reason: 'ExitCode', message: String(signal ? 137 : code) }] },
      };
      const status = code === 0 ? { status: 'Success' } : failure;
      send(STATUS, Buffer.from(JSON.stringify({ kind: 'Status', metadata: {}, ...status })));
      stream.close();
    });
  }

  async stop() {
    this.#end();
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
    fs.rmSync(this.folder, { recursive: true });
  }
}

/** Answers as a supervisor in whose scripts nothing happens. */
function imagine(stream) {
  let input = Buffer.alloc(0);
  let sources = null;
  stream.on('error', () => {});
  stream.on('message', (data) => {
    input = Buffer.concat([input, data.subarray(1)]);
    if (sources === null && input.length >= 16) {
      sources = 16 + Number(input.subarray(0, 8)) + Number(input.subarray(8, 16));
    }
    if (sources === null || input.length < sources) return;
    input = input.subarray(sources);
    sources = 0;
    while (input.length >= 5 && input.length >= 5 + input.readUInt32LE(1)) {
      const kind = String.fromCharCode(input[0]);
      input = input.subarray(5 + input.readUInt32LE(1));
      const answer = { B: 'R\0\0\0\0', E: 'X\x01\0\0\0\0' }[kind];
      if (answer) stream.send(Buffer.from(`${String.fromCharCode(STDOUT)}${answer}`, 'latin1'));
    }
    if (input.length === 0) input = Buffer.alloc(0);
  });
}

function refusal(status, reason, message = reason, details = {}) {
  return {
    status,
    body: { kind: 'Status', status: 'Failure', code: status, reason, message, details },
  };
}

function running() {
  return { phase: 'Running', containerStatuses: [{ state: { running: {} } }] };
}

function waiting(reason, message) {
  return { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason, message } } }] };
}

module.exports = { FakeCluster, refusal, running, waiting };
