'use strict';

const fs = require('node:fs');
const https = require('node:https');

/** A namespace of a cluster as the tests see it from outside: see `../engine.js`. */
class KubernetesOutside {
  /** What a process finds the engine by. */
  env = { CONTAINER_ENGINE: 'kubernetes', KUBECONFIG: process.env.KUBECONFIG, DOCKER_HOST: '' };
  keepsImages = false;
  showsLimits = false;
  hasFilter = true;
  tellsSignals = true;
  beginsAhead = 0;
  // Process 1, which only waits, and the supervisor.
  interpreters = 2;
  needsPython = true;
  // By eviction alone, before Kubernetes 1.22.
  keepsSizes = false;
  // Two connections, to the API server and from there, of which the kernel has each hold what it likes.
  onTheWay = 128;
  hasInit = false;
  seesContainers = true;
  limitsMemory = true;
  hasTerminals = true;
  deaths = [['the process']];

  image(name) {
    return name;
  }

  async podsOf({ label }) {
    const selector = encodeURIComponent(`test.pool=${label}`);
    const { items } = await this.request('GET', `pods?labelSelector=${selector}`);
    return items;
  }

  async idsOf(pool) {
    return (await this.podsOf(pool)).map(({ metadata }) => metadata.name);
  }

  async traceOf(pid, label) {
    const listed = () => this.podsOf({ label });
    const left = async () => (await listed()).map(({ metadata }) => metadata.name);
    return {
      containers: await left(),
      parts: { 'the process': pid },
      left,
      running: async () => (await listed()).filter(({ status }) => status.phase === 'Running'),
    };
  }

  kill(id) {
    return this.request('DELETE', `pods/${id}?gracePeriodSeconds=0`);
  }

  /** The Leases of the namespace that are this package's. */
  leases() {
    const mark = encodeURIComponent('app.kubernetes.io/managed-by=scientist-pool');
    const group = '/apis/coordination.k8s.io/v1';
    return this.request('GET', `leases?labelSelector=${mark}`, { group });
  }

  /** A request within the namespace, which succeeds; `text`: its answer is no JSON. */
  request(method, below, { group = '/api/v1', text: isText = false, body } = {}) {
    const config = JSON.parse(fs.readFileSync(process.env.KUBECONFIG, 'utf8'));
    const [{ cluster }] = config.clusters;
    const [{ user }] = config.users;
    const [{ context }] = config.contexts;
    const url = `${cluster.server}${group}/namespaces/${context.namespace}/${below}`;
    const read = (file) => fs.readFileSync(file);
    const keys = {
      ca: read(cluster['certificate-authority']),
      cert: read(user['client-certificate']),
      key: read(user['client-key']),
    };
    return new Promise((resolve, reject) => {
      const request = https.request(url, { method, ...keys }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode < 300) resolve(isText ? text : JSON.parse(text));
          else reject(new Error(`${method} ${below}: ${response.statusCode} ${text}`));
        });
      });
      request.on('error', reject);
      if (body !== undefined) request.setHeader('content-type', 'application/json');
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

module.exports = { KubernetesOutside };
