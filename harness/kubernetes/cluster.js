'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');

const { ensureProgram } = require('../apt');
const { SetupError, defer } = require('../cleanup');
const { environment, run } = require('../command');
const { say } = require('../console');
const { connect } = require('../engine');
const { ensureImages } = require('../images');
const { OwnEngine } = require('../own-engine');
const { processes } = require('../processes');
const { until } = require('../until');
const { Keys } = require('./keys');
const { Network } = require('./network');
const { ensureKubernetes } = require('./programs');

const PAUSE = 'scientist-pool/pause:1';
const PATIENCE = 120_000;

/** As root in namespaces without CAP_SYS_RESOURCE, no container can have the score that pause containers ask for. */
const RUNC = `#!/bin/sh
bundle=; last=
for word in "$@"; do [ "$last" = --bundle ] && bundle=$word; last=$word; done
[ -f "$bundle/config.json" ] && sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$bundle/config.json"
exec runc "$@"
`;

/** Files that a kubelet sets, in the machine's kernel: each has its own copies. */
const SETTINGS =
  'vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes'.split(
    ' ',
  );

/** Whether something listens there. */
function isHeard(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 1000 });
    socket.once('connect', () => resolve(true));
    for (const event of ['error', 'timeout']) socket.once(event, () => resolve(false));
    socket.once('connect', () => socket.destroy());
    socket.once('timeout', () => socket.destroy());
  });
}

/**
 * A cluster of this run's own: each node is an engine of our own in a network of its own, and the first of them has
 * what governs the cluster too. All of it lives in those namespaces, and ends with them.
 */
class Cluster {
  #nodes;
  #programs = new Map();
  #bin;
  #keys;
  #network;

  static async start({ nodes = 3, images = ['python:3.9-slim'] } = {}) {
    for (const [program, names] of [
      ['openssl', ['openssl']],
      ['ip', ['iproute2']],
    ]) {
      await ensureProgram(program, names);
    }
    const cluster = new Cluster();
    cluster.stop = defer(cluster.stop.bind(cluster));
    try {
      await cluster.#begin(nodes, images);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #begin(count, images) {
    this.#bin = await ensureKubernetes();
    this.#nodes = [];
    const wrapped = this.#program('runc');
    fs.writeFileSync(wrapped, RUNC, { mode: 0o755 });
    const runtimes = { wrapped: { path: wrapped } };
    const options = {
      ...{ bridge: undefined, runtimes, 'default-runtime': 'wrapped' },
      // A dockerd that turns it on has the firewall drop what a bridge forwards, which is what comes to other nodes.
      'ip-forward': false,
    };
    for (let number = 1; number <= count; number += 1) {
      const engine = await OwnEngine.start(options, { ownNetwork: true });
      this.#network ??= new Network(engine.slot);
      const node = { name: `node${number}`, address: this.#network.node(number), engine };
      this.#nodes.push(node);
      await ensureImages(engine, [...images, 'busybox:stable']);
      await this.#pause(engine);
    }
    const [first] = this.#nodes;
    this.folder = path.join(first.engine.runtime, 'kubernetes');
    this.#keys = new Keys(path.join(this.folder, 'keys'), this.#network);
    await this.#keys.prepare(this.#nodes);
    await this.#connect();
    this.#startEtcd();
    await this.startApiServer();
    this.#govern();
    for (const node of this.#nodes) await this.startKubelet(node.name);
    for (const { name } of this.#nodes) await this.ready(name);
    say(`a cluster of ${count} nodes runs at ${this.address}`);
  }

  /** An image whose process only waits, for the pods' networks. */
  async #pause(engine) {
    const docker = connect(engine);
    const there = await docker
      .getImage(PAUSE)
      .inspect()
      .catch(() => null);
    if (there) return;
    const container = await docker.createContainer({ Image: 'busybox:stable' });
    const waits = 'trap "exit 0" TERM INT; while :; do sleep 2147483647 & wait $!; done';
    const [repo, tag] = PAUSE.split(':');
    await container.commit({
      repo,
      tag,
      changes: `ENTRYPOINT ${JSON.stringify(['sh', '-c', waits])}`,
    });
    await container.remove();
  }

  /** A bridge in the first node's network, and a cable from each of the others and from this machine to it. */
  async #connect() {
    const [first, ...others] = this.#nodes;
    const inside = first.engine.holderPid;
    const ip = (...args) => run('ip', args);
    await first.engine.run('ip', 'link', 'add', 'nodes', 'type', 'bridge');
    await first.engine.run('ip', 'addr', 'add', `${first.address}/24`, 'dev', 'nodes');
    await first.engine.run('ip', 'link', 'set', 'nodes', 'up');
    const plug = async (cable) => {
      await first.engine.run('ip', 'link', 'set', cable, 'master', 'nodes', 'up');
    };
    for (const [at, { address, engine }] of others.entries()) {
      const cable = `node${at + 2}`;
      await ip(
        ...['link', 'add', cable, 'netns', String(inside)],
        ...['type', 'veth', 'peer', 'name', 'nodes', 'netns', String(engine.holderPid)],
      );
      await plug(cable);
      await engine.run('ip', 'addr', 'add', `${address}/24`, 'dev', 'nodes');
      await engine.run('ip', 'link', 'set', 'nodes', 'up');
    }
    this.link = `kube${first.engine.slot}`;
    await ip(
      ...['link', 'add', this.link, 'type', 'veth'],
      ...['peer', 'name', 'outside', 'netns', String(inside)],
    );
    await plug('outside');
    await ip('addr', 'add', `${this.#network.outside}/24`, 'dev', this.link);
    await ip('link', 'set', this.link, 'up');
    // They look for a route that leads anywhere, by which nothing is sent.
    for (const { engine } of this.#nodes) {
      await engine.run('ip', 'link', 'set', 'lo', 'up');
      const way = ['default', 'via', this.#network.outside, 'dev', 'nodes'];
      await engine.run('ip', 'route', 'replace', ...way);
    }
  }

  /** Starts a program in a node's namespaces. */
  #start(name, node, command, args) {
    const log = fs.openSync(path.join(this.folder, `${name}.log`), 'a');
    const enter = spawn('nsenter', [...node.engine.namespaces, command, ...args], {
      env: environment,
      stdio: ['ignore', log, log],
      detached: true,
    });
    fs.closeSync(log);
    enter.on('error', () => {});
    enter.unref();
    this.#programs.set(name, enter.pid);
  }

  /** The end of a program's log, for a message. */
  #log(name) {
    const lines = fs.readFileSync(path.join(this.folder, `${name}.log`), 'utf8').split('\n');
    return lines.slice(-15).join('\n');
  }

  #program(name) {
    return path.join(this.#bin, name);
  }

  #startEtcd() {
    const client = 'http://127.0.0.1:2379';
    const peer = 'http://127.0.0.1:2380';
    this.#start('etcd', this.#nodes[0], this.#program('etcd'), [
      ...['--name', 'etcd', '--data-dir', path.join(this.folder, 'etcd')],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `etcd=${peer}`, '--unsafe-no-fsync'],
    ]);
  }

  /** Starts etcd again, and waits until the API server has it. */
  async restartEtcd() {
    this.#startEtcd();
    await this.#untilServed();
  }

  /** Starts the API server (again), and waits until it is ready. */
  async startApiServer() {
    this.#startApiServer();
    await this.#untilServed();
  }

  #startApiServer() {
    const keys = this.#keys;
    const { api, services } = this.#network;
    const args = [
      '--etcd-servers=http://127.0.0.1:2379',
      ...[`--bind-address=${api}`, `--advertise-address=${api}`, '--secure-port=6443'],
      `--service-cluster-ip-range=${services}`,
      `--tls-cert-file=${keys.file('apiserver.crt')}`,
      `--tls-private-key-file=${keys.file('apiserver.key')}`,
      ...[`--client-ca-file=${keys.file('ca.crt')}`, '--authorization-mode=Node,RBAC'],
      `--kubelet-client-certificate=${keys.file('client.crt')}`,
      `--kubelet-client-key=${keys.file('client.key')}`,
      `--kubelet-certificate-authority=${keys.file('ca.crt')}`,
      '--kubelet-preferred-address-types=InternalIP',
      `--service-account-key-file=${keys.file('sa.pub')}`,
      `--service-account-signing-key-file=${keys.file('sa.key')}`,
      `--service-account-issuer=${this.address}`,
      `--cert-dir=${this.folder}`,
    ];
    this.#start('apiserver', this.#nodes[0], this.#program('kube-apiserver'), args);
  }

  async #untilServed() {
    await this.#wait('apiserver', async () => {
      // It ends by itself where etcd is slow to answer.
      if (this.#pids('apiserver').length === 0) this.#startApiServer();
      return (await this.request('GET', '/readyz')).status === 200;
    });
  }

  #govern() {
    const as = (name) => {
      const config = this.#keys.config(name);
      return ['', 'authentication-', 'authorization-'].map(
        (part) => `--${part}kubeconfig=${config}`,
      );
    };
    const alone = ['--leader-elect=false', '--bind-address=127.0.0.1', '--port=0'];
    this.#start('controllers', this.#nodes[0], this.#program('kube-controller-manager'), [
      ...[...as('controllers'), ...alone, `--cert-dir=${this.folder}`],
      ...['--use-service-account-credentials=true', `--root-ca-file=${this.#keys.file('ca.crt')}`],
      `--service-account-private-key-file=${this.#keys.file('sa.key')}`,
      `--flex-volume-plugin-dir=${path.join(this.folder, 'plugins')}`,
    ]);
    this.#start('scheduler', this.#nodes[0], this.#program('kube-scheduler'), [
      ...[...as('scheduler'), ...alone, `--cert-dir=${this.folder}`],
    ]);
  }

  /** Starts a node's kubelet (again), and waits until it answers. */
  async startKubelet(name) {
    const node = this.#node(name);
    const folder = path.join(node.engine.storage, 'kubelet');
    const own = path.join(node.engine.runtime, 'kubelet');
    const settings = SETTINGS.map((file) => [
      `/proc/sys/${file}`,
      path.join(own, path.basename(file)),
    ]);
    fs.mkdirSync(own, { recursive: true });
    for (const [file, copy] of settings) fs.writeFileSync(copy, fs.readFileSync(file));
    for (const part of ['log', 'lib', 'root', 'shim', 'plugins']) {
      fs.mkdirSync(path.join(folder, part), { recursive: true });
    }
    const keys = this.#keys;
    const socket = `unix://${path.join(own, 'shim.sock')}`;
    const kubelet = [
      this.#program('kubelet'),
      ...[`--kubeconfig=${keys.config(name)}`, `--hostname-override=${name}`],
      ...[`--node-ip=${node.address}`, `--address=${node.address}`, '--port=10250'],
      ...['--healthz-port=0', '--read-only-port=0'],
      `--tls-cert-file=${keys.file(`${name}.crt`)}`,
      `--tls-private-key-file=${keys.file(`${name}.key`)}`,
      ...[`--client-ca-file=${keys.file('ca.crt')}`, '--anonymous-auth=false'],
      ...['--authorization-mode=Webhook', '--authentication-token-webhook=true'],
      ...[
        `--root-dir=${folder}/root`,
        `--cert-dir=${own}`,
        `--volume-plugin-dir=${folder}/plugins`,
      ],
      ...[
        `--docker-endpoint=${node.engine.host}`,
        `--experimental-dockershim-root-directory=${folder}/shim`,
      ],
      ...[`--container-runtime-endpoint=${socket}`, `--image-service-endpoint=${socket}`],
      ...[`--pod-infra-container-image=${PAUSE}`, '--cgroup-driver=cgroupfs'],
      ...['--cgroups-per-qos=false', '--enforce-node-allocatable=', '--fail-swap-on=false'],
      ...['--make-iptables-util-chains=false', '--eviction-hard=', '--image-gc-high-threshold=100'],
      ...['--register-node=true', '--serialize-image-pulls=false', '--event-qps=0'],
      ...['--kube-api-qps=50', '--kube-api-burst=100', '--max-pods=200'],
    ];
    const mounts = [
      'mount --make-rprivate /',
      `mount --bind ${folder}/log /var/log`,
      `mount --bind ${folder}/lib /var/lib`,
      ...settings.map(([file, copy]) => `mount --bind ${copy} ${file}`),
      'exec "$@"',
    ];
    const script = ['--mount', 'sh', '-ec', mounts.join('\n'), 'sh', ...kubelet];
    this.#start(name, node, 'unshare', script);
    // What the API says of it is from before.
    await this.#wait(name, () => isHeard(node.address, 10_250));
  }

  /** Resolves when a node says that it is ready. */
  async ready(name) {
    await this.#wait(name, async () => {
      const { status, body } = await this.request('GET', `/api/v1/nodes/${name}`);
      if (status !== 200) return false;
      return body.status.conditions.some(
        (condition) => condition.type === 'Ready' && condition.status === 'True',
      );
    });
  }

  async #wait(name, condition) {
    try {
      await until(() => condition().catch(() => false), PATIENCE);
    } catch {
      throw new SetupError(`${name} did not come up. Its log ends:\n${this.#log(name)}`, ' ');
    }
  }

  #node(name) {
    return this.#nodes.find((node) => node.name === name);
  }

  get nodes() {
    return this.#nodes.map(({ name }) => name);
  }

  /** The nodes' engines. */
  get engines() {
    return this.#nodes.map(({ engine }) => engine);
  }

  /** The kubeconfig of one who may do everything. */
  get kubeconfig() {
    return this.#keys.config('admin');
  }

  get address() {
    return `https://${this.#network.api}:6443`;
  }

  /** Of that one, for TLS. */
  get credentials() {
    const [ca, cert, key] = ['ca.crt', 'admin.crt', 'admin.key'].map((name) =>
      fs.readFileSync(this.#keys.file(name)),
    );
    return { ca, cert, key };
  }

  /** A kubeconfig of another user; `days`: for how long its certificate is good. */
  async user(name, namespace, options) {
    await this.#keys.sign(name, `/CN=${name}`, undefined, options);
    this.#keys.write(name, namespace);
    return this.#keys.config(name);
  }

  /** The programs that are what `name` says, `apiserver`, `etcd` or a node's kubelet. */
  #pids(name) {
    const enter = this.#programs.get(name);
    const all = processes();
    return all.filter(({ pid, parent }) => parent === enter || pid === enter);
  }

  /** Sends a program a signal. */
  signal(name, signal) {
    // nsenter forks. It stops itself when its child is stopped, and would then neither reap it nor end.
    for (const { pid, command } of this.#pids(name)) {
      const isNsenter = command.startsWith('nsenter');
      if (!isNsenter) process.kill(pid, signal);
      else if (signal !== 'SIGSTOP') process.kill(pid, 'SIGCONT');
    }
  }

  /** Ends a program and waits for its end. */
  async end(name, signal = 'SIGKILL') {
    this.signal(name, signal);
    await until(() => this.#pids(name).every(({ command }) => command.startsWith('nsenter')));
  }

  /** A request to the API by one who may do everything: `{ status, body }`. */
  request(method, url, body) {
    const options = { host: this.#network.api, port: 6443, method, path: url, timeout: 10_000 };
    Object.assign(options, this.credentials);
    return new Promise((resolve, reject) => {
      const request = https.request(options, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          const isJson = /json/.test(response.headers['content-type']);
          resolve({ status: response.statusCode, body: isJson ? JSON.parse(text) : text });
        });
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      if (body !== undefined) request.setHeader('content-type', 'application/json');
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Stops it; nothing is left but what the nodes' storages keep, which are the images. */
  async stop() {
    for (const name of [...this.#programs.keys()].reverse()) {
      if (name !== 'etcd') await this.end(name).catch(() => {});
    }
    for (const { engine } of this.#nodes ?? []) {
      await engine.removeContainers().catch(() => {});
    }
    await this.end('etcd').catch(() => {});
    for (const { engine } of this.#nodes ?? []) {
      fs.rmSync(path.join(engine.storage, 'kubelet'), { recursive: true, force: true });
      await engine.stop();
    }
  }
}

module.exports = { Cluster };
