'use strict';

const { Counter, Gauge, register: globalRegistry } = require('prom-client');

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99 };

/** Rows of what is counted of the connections of containers; absent without `network.allow`. */
const ofEgress =
  (rows) =>
  ({ egress }) =>
    egress === null ? [] : rows(egress);

/** A gauge or counter, and its values in a pool's `stats()`: rows of labels and value. */
const METRICS = {
  containers: {
    type: Gauge,
    help: 'Containers by what becomes of them',
    labels: ['state'],
    rows: ({ warm, creating, leased, destroying }) =>
      Object.entries({ warm, creating, leased, destroying }).map(([state, n]) => [{ state }, n]),
  },
  containers_max: {
    type: Gauge,
    help: 'The most containers allowed; absent until the engine has told its memory',
    rows: ({ max }) => (max === null ? [] : [[{}, max]]),
  },
  containers_target: {
    type: Gauge,
    help: 'How many warm containers are kept',
    rows: ({ poolSize }) => [[{}, poolSize]],
  },
  waiting: {
    type: Gauge,
    help: 'Callers in line for a container',
    rows: ({ waiting }) => [[{}, waiting]],
  },
  state: {
    type: Gauge,
    help: '1 for the state that the pool is in',
    labels: ['state'],
    rows: ({ state }) => [[{ state }, 1]],
  },
  acquired_total: {
    type: Counter,
    help: 'Containers handed out, by whether they were warm',
    labels: ['from'],
    rows: ({ totals: { acquiredWarm, acquiredOnDemand } }) => [
      [{ from: 'warm' }, acquiredWarm],
      [{ from: 'on_demand' }, acquiredOnDemand],
    ],
  },
  calls_total: {
    type: Counter,
    help: 'Scripts and commands run, by the path they took',
    labels: ['path'],
    rows: ({ callsWarm, callsCold }) => [
      [{ path: 'warm' }, callsWarm],
      [{ path: 'cold' }, callsCold],
    ],
  },
  egress_connections: {
    type: Gauge,
    help: 'Connections to the proxies of containers; absent without network.allow',
    rows: ofEgress(({ open }) => [[{}, open]]),
  },
  egress_connections_total: {
    type: Counter,
    help: 'Connections that containers made or tried to make, by whether they were allowed',
    labels: ['allowed'],
    rows: ofEgress(({ allowed, refused }) => [
      [{ allowed: 'true' }, allowed],
      [{ allowed: 'false' }, refused],
    ]),
  },
  egress_bytes_total: {
    type: Counter,
    help: 'Bytes of the connections of containers that have ended, by their direction',
    labels: ['direction'],
    rows: ofEgress(({ bytesSent, bytesReceived }) => [
      [{ direction: 'sent' }, bytesSent],
      [{ direction: 'received' }, bytesReceived],
    ]),
  },
  ...Object.fromEntries(
    Object.entries({
      created: 'Containers made',
      destroyed: 'Containers that the engine confirmed to be gone',
      lost: 'Containers that ended although nobody here asked for it',
      expired: 'Warm containers replaced for their age',
      surplus: 'Containers made, or warm, when no longer needed',
      abandoned: 'Removals given up after many attempts',
      timeouts: 'Callers that got no container in time',
      errors: 'Failures in the background',
    }).map(([total, help]) => [
      `${total}_total`,
      { type: Counter, help, rows: ({ totals }) => [[{}, totals[total]]] },
    ]),
  ),
  latency_seconds: {
    type: Gauge,
    help: 'Percentiles since the pool was made',
    labels: ['operation', 'quantile'],
    rows: ({ latency }) =>
      Object.entries(latency).flatMap(([operation, measured]) =>
        measured.count === 0
          ? []
          : Object.entries(QUANTILES).map(([name, quantile]) => [
              { operation: snakeCase(operation), quantile },
              measured[name] / 1000,
            ]),
      ),
  },
};

function snakeCase(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Puts the numbers of pools into a registry of prom-client. `index.d.ts` is its documentation. */
function registerPools(pools, { registry = globalRegistry, prefix = 'scientist_pool_' } = {}) {
  let snapshot = null;
  /** All metrics of one collection are of one instant. */
  const read = () => {
    if (snapshot === null) {
      const named = typeof pools === 'function' ? pools() : pools;
      snapshot = Object.entries(named).map(([name, pool]) => [name, pool.stats()]);
      queueMicrotask(() => {
        snapshot = null;
      });
    }
    return snapshot;
  };
  const names = Object.entries(METRICS).map(([name, { type: Metric, help, labels = [], rows }]) => {
    const metric = new Metric({
      name: prefix + name,
      help,
      labelNames: ['pool', ...labels],
      registers: [registry],
      collect() {
        // A counter can't be set: it is begun anew.
        this.reset();
        for (const [pool, stats] of read()) {
          for (const [own, value] of rows(stats)) {
            if (Metric === Counter) this.inc({ pool, ...own }, value);
            else this.set({ pool, ...own }, value);
          }
        }
      },
    });
    return metric.name;
  });
  return () => {
    for (const name of names) registry.removeSingleMetric(name);
  };
}

module.exports = { registerPools };
