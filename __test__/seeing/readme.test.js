'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Registry } = require('prom-client');
const { registerPools } = require('scientist-pool/prometheus');

const { FakeEngine } = require('scientist-pool/testing');
const { runNode } = require('../support/node');
const { codes, rows, section, snippets } = require('../support/readme');

const HEADING = '## Seeing what happens';
const root = path.join(__dirname, '../..');

/** What the first column of its tables names, of those that begin with this. */
function named(column, beginning) {
  return rows(section(HEADING))
    .flatMap((row) => codes(row[column] ?? ''))
    .filter((name) => name.startsWith(beginning))
    .sort();
}

test('the channels are those of the type TracingMessages', () => {
  const types = fs.readFileSync(path.join(root, 'index.d.ts'), 'utf8');
  const body = /interface TracingMessages \{\n(.*?)\n {2}\}/s.exec(types)[1];
  const declared = [...body.matchAll(/^ {4}(\w+):/gm)].map(([, name]) => `scientist-pool:${name}`);
  expect(named('channel', 'scientist-pool:')).toEqual(declared.sort());
});

test('the metrics of OpenTelemetry are those that there are', () => {
  const source = fs.readFileSync(path.join(root, 'otel/index.js'), 'utf8');
  const made = [...source.matchAll(/'(scientist_pool\.[\w.]+)'/g)].map(([, name]) => name);
  const told = named('metric', 'scientist_pool.').filter((name) => !name.endsWith('.state'));
  expect(told).toEqual(made.sort());
});

test('the metrics for Prometheus are those that there are', () => {
  const registry = new Registry();
  registerPools({}, { registry });
  const made = registry.getMetricsAsArray().map(({ name }) => name);
  expect(named('metric', 'scientist_pool_')).toEqual(made.sort());
});

describe('the examples', () => {
  // Where one of them has its socket.
  const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'runtime-'));
  afterAll(() => fs.rmSync(runtime, { recursive: true, force: true }));
  const examples = snippets.filter(({ title }) => title === HEADING);

  test('there are four', () => expect(examples).toHaveLength(4));

  test.each(examples)('run without an error', async ({ source }) => {
    const engine = await FakeEngine.start();
    const env = { DOCKER_HOST: engine.address, XDG_RUNTIME_DIR: runtime };
    const { stderr, code } = await runNode(source, { env });
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(engine.calls).toHaveLength(1);
    await engine.assertEmpty();
    await engine.close();
  });
});
