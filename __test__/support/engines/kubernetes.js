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

  /** A request within the namespace, which succeeds. */
  request(method, below) {
    const config = JSON.parse(fs.readFileSync(process.env.KUBECONFIG, 'utf8'));
    const [{ cluster }] = config.clusters;
    const [{ user }] = config.users;
    const [{ context }] = config.contexts;
    const url = `${cluster.server}/api/v1/namespaces/${context.namespace}/${below}`;
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
          if (response.statusCode < 300) resolve(JSON.parse(text));
          else reject(new Error(`${method} ${below}: ${response.statusCode} ${text}`));
        });
      });
      request.on('error', reject);
      request.end();
    });
  }
}

module.exports = { KubernetesOutside };
