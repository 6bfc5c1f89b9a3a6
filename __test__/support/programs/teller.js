'use strict';

// A process that uses a secret in all ways in which something is told of a pool, and prints what was told, as JSON: by
// its places, and in each of them texts. Its debug log is on stderr. What it makes is on stdin, as JSON: `options` of the
// pool, and `url`, to which scripts send the secret.

const diagnostics = require('node:diagnostics_channel');
const fs = require('node:fs');
const { json } = require('node:stream/consumers');
const { formatWithOptions, inspect } = require('node:util');

const metrics = require('@opentelemetry/sdk-metrics');
const spans = require('@opentelemetry/sdk-trace-base');
const { Registry } = require('prom-client');
const { ContainerPoolManager } = require('../../..');
const { ScientistPoolInstrumentation } = require('../../../observing/otel');
const { registerPools } = require('../../../observing/prometheus');

const CHANNELS = ['acquire', 'create', 'execute', 'files', 'destroy', 'pull'];
const told = {};

function tell(place, ...what) {
  told[place] ??= [];
  for (const each of what) {
    const stack = each instanceof Error ? each.stack : '';
    const text = inspect(each, { depth: 12, showHidden: true, maxStringLength: null });
    told[place].push(text, formatWithOptions({}, '%j %O %s', each, each, each), stack);
  }
}

/** Has every event of a pool told. */
function listen(pool) {
  const { emit } = pool;
  pool.emit = function (...all) {
    tell('events', all);
    return emit.apply(this, all);
  };
}

/** What this machine tells everybody of processes: their arguments and their environments. */
function processes() {
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const name of ['cmdline', 'environ']) {
      try {
        told.processes.push(fs.readFileSync(`/proc/${pid}/${name}`, 'latin1'));
      } catch {
        // It has ended, or is not this user's.
      }
    }
  }
}

async function main() {
  const { options, url } = await json(process.stdin);
  const [{ value, hosts }] = Object.values(options.secrets);
  for (const name of CHANNELS) {
    for (const step of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'])
      diagnostics.subscribe(`tracing:scientist-pool:${name}:${step}`, (message) =>
        tell('channels', message),
      );
  }
  const instrumentation = new ScientistPoolInstrumentation({ pools: () => ({ pool }) });
  const exported = new spans.InMemorySpanExporter();
  const processor = new spans.SimpleSpanProcessor(exported);
  instrumentation.setTracerProvider(new spans.BasicTracerProvider({ spanProcessors: [processor] }));
  const counted = new metrics.InMemoryMetricExporter(metrics.AggregationTemporality.CUMULATIVE);
  const reader = new metrics.PeriodicExportingMetricReader({ exporter: counted });
  instrumentation.setMeterProvider(new metrics.MeterProvider({ readers: [reader] }));
  const registry = new Registry();

  // Options that are wrong, each in another way.
  const wrong = (secret) => ({ ...options, secrets: { TOKEN: { value, hosts, ...secret } } });
  for (const secret of [
    { value: Buffer.from(value) },
    { value: [value] },
    { value: `${value}\n` },
    { value: `${value}\ud800` },
    { value: `${value.repeat(1000)}` },
    { hosts: ['elsewhere.test'] },
    { hosts: [] },
    { in: ['nowhere'] },
    { more: value },
  ]) {
    try {
      const none = new ContainerPoolManager(wrong(secret));
      tell('errors', none);
    } catch (error) {
      tell('errors', error);
    }
  }

  const pool = ContainerPoolManager.getInstance(options);
  listen(pool);
  registerPools({ pool }, { registry });
  try {
    ContainerPoolManager.getInstance(wrong({ value: `${value}-other` }));
  } catch (error) {
    tell('errors', error);
  }
  await pool.initialize();
  const use = `
import os, sys, urllib.request
headers = {'Authorization': 'Bearer ' + os.environ['TOKEN']}
def ask(url): return urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read().decode()
print(ask('${url}'), file=sys.stderr)
print(ask('${url}'), flush=True)
`;
  const container = await pool.acquire();
  const failing = async (work) => tell('errors', await work.catch((error) => error));
  tell('results', await container.execute(use));
  tell('results', await container.execute(`${use}ask('https://elsewhere.test/')`));
  tell('results', await container.execute(['python3', '-c', use]));
  tell('results', await container.execute(use, {}, [], { network: { allow: ['elsewhere.test'] } }));
  await failing(container.execute(use, {}, [], { network: { allow: ['b.test'] } }));
  await container.writeFiles({ a: use });
  const child = container.spawn(['python3', '-c', use]);
  tell('pools', child);
  await child.exit;
  await failing(pool.run(use, { signal: AbortSignal.abort() }));
  tell('results', await pool.run(`${use}import time; time.sleep(60)`, { timeout: 3_000 }));
  const under = container.execute(`${use}import time; time.sleep(60)`, {}, [], {
    onStdout: () => {
      processes();
      tell('pools', pool, container, pool.stats(), container.security);
      void container.destroy();
    },
  });
  told.processes = [];
  await failing(under);
  await reader.forceFlush();
  tell(
    'spans',
    ...exported
      .getFinishedSpans()
      .map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
  );
  tell('metrics', counted.getMetrics(), await registry.metrics());
  await pool.shutdown({ grace: 0 });
  instrumentation.disable();
  // Whatever else would keep it; but not before all of that is written.
  process.stdout.write(JSON.stringify(told), () => process.exit());
}

main();
