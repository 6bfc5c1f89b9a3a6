'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { Registry } = require('prom-client');
const { registerPools } = require('scientist-pool/prometheus');

const { ROOT } = require('../support/node');
const { codes, page, rows } = require('../support/pages');

const { text } = page('docs/observing.md');

/** What the first column of its tables names, of those that begin with this. */
function named(column, beginning) {
  return rows(text)
    .flatMap((row) => codes(row[column] ?? ''))
    .filter((name) => name.startsWith(beginning))
    .sort();
}

test('the channels are those of the type TracingMessages', () => {
  const types = fs.readFileSync(path.join(ROOT, 'index.d.ts'), 'utf8');
  const body = /interface TracingMessages \{\n(.*?)\n {2}\}/s.exec(types)[1];
  const declared = [...body.matchAll(/^ {4}(\w+):/gm)].map(([, name]) => `scientist-pool:${name}`);
  expect(named('channel', 'scientist-pool:')).toEqual(declared.sort());
});

test('the metrics of OpenTelemetry are those that there are', () => {
  const source = fs.readFileSync(path.join(ROOT, 'observing/otel/index.js'), 'utf8');
  const made = [...source.matchAll(/'(scientist_pool\.[\w.]+)'/g)].map(([, name]) => name);
  const told = named('metric', 'scientist_pool.').filter(
    (name) => !/\.(state|allowed)$/.test(name),
  );
  expect(told).toEqual(made.sort());
});

test('the metrics for Prometheus are those that there are', () => {
  const registry = new Registry();
  registerPools({}, { registry });
  const made = registry.getMetricsAsArray().map(({ name }) => name);
  expect(named('metric', 'scientist_pool_')).toEqual(made.sort());
});
