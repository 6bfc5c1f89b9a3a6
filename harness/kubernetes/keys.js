'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('../command');

/** The certificates of a cluster, each signed by its own authority, and kubeconfigs with them. */
class Keys {
  #network;

  constructor(folder, network) {
    this.folder = folder;
    this.#network = network;
  }

  file(name) {
    return path.join(this.folder, name);
  }

  async prepare(nodes) {
    fs.mkdirSync(this.folder, { recursive: true });
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=ca'],
      ...['-keyout', this.file('ca.key'), '-out', this.file('ca.crt')],
    ]);
    await run('openssl', ['genrsa', '-out', this.file('sa.key'), '2048']);
    await run('openssl', [
      'rsa',
      '-in',
      this.file('sa.key'),
      '-pubout',
      '-out',
      this.file('sa.pub'),
    ]);
    const { api, apiService } = this.#network;
    const names = `IP:${api},IP:${apiService},IP:127.0.0.1,DNS:kubernetes.default.svc`;
    await this.sign('apiserver', '/CN=kube-apiserver', names);
    await this.sign('client', '/O=system:masters/CN=kube-apiserver-kubelet-client');
    await this.sign('admin', '/O=system:masters/CN=admin');
    await this.sign('controllers', '/CN=system:kube-controller-manager');
    await this.sign('scheduler', '/CN=system:kube-scheduler');
    for (const { name, address } of nodes) {
      await this.sign(name, `/O=system:nodes/CN=system:node:${name}`, `IP:${address},DNS:${name}`);
    }
  }

  /** `days`: for how long it is good. */
  async sign(name, subject, names, { days = 30 } = {}) {
    const extensions = this.file(`${name}.ext`);
    const alternative = names === undefined ? '' : `subjectAltName=${names}\n`;
    fs.writeFileSync(extensions, `extendedKeyUsage=serverAuth,clientAuth\n${alternative}`);
    await run('openssl', [
      ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', subject],
      ...['-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.csr`)],
    ]);
    await run('openssl', [
      ...['x509', '-req', '-days', String(days)],
      ...['-in', this.file(`${name}.csr`), '-extfile', extensions],
      ...['-CA', this.file('ca.crt'), '-CAkey', this.file('ca.key'), '-CAcreateserial'],
      ...['-out', this.file(`${name}.crt`)],
    ]);
    this.write(name);
  }

  /** A kubeconfig. */
  write(name, namespace = 'default') {
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [
        {
          name: 'test',
          cluster: {
            server: `https://${this.#network.api}:6443`,
            'certificate-authority': this.file('ca.crt'),
          },
        },
      ],
      users: [
        {
          name,
          user: {
            'client-certificate': this.file(`${name}.crt`),
            'client-key': this.file(`${name}.key`),
          },
        },
      ],
      contexts: [{ name: 'test', context: { cluster: 'test', user: name, namespace } }],
    };
    fs.writeFileSync(this.config(name), JSON.stringify(config, null, 2));
  }

  config(name) {
    return this.file(`${name}.json`);
  }
}

module.exports = { Keys };
