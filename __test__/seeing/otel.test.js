'use strict';

const { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace } = require('@opentelemetry/api');
const {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} = require('@opentelemetry/sdk-metrics');
const {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} = require('@opentelemetry/sdk-trace-base');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { ScientistPoolInstrumentation } = require('scientist-pool/otel');

const { until } = require('../../harness/until');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

let spans;
let metrics;
let reader;
let instrumentation;
let parent;
let tracerProvider;
let meterProvider;

beforeEach(() => {
  spans = new InMemorySpanExporter();
  tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  reader = new PeriodicExportingMetricReader({
    exporter: metrics,
    exportIntervalMillis: 3_600_000,
  });
  meterProvider = new MeterProvider({ readers: [reader] });
  instrumentation = new ScientistPoolInstrumentation({
    pools: () => Object.fromEntries(bench.pools.map((pool, at) => [`pool ${at}`, pool])),
  });
  instrumentation.setTracerProvider(tracerProvider);
  instrumentation.setMeterProvider(meterProvider);
  // What a context manager does, for the one span that these calls are made in.
  parent = tracerProvider.getTracer('test').startSpan('request');
  jest.spyOn(context, 'active').mockReturnValue(trace.setSpan(ROOT_CONTEXT, parent));
});
afterEach(async () => {
  instrumentation.disable();
  jest.restoreAllMocks();
  await tracerProvider.shutdown();
  await meterProvider.shutdown();
});

const named = (name) => spans.getFinishedSpans().filter((span) => span.name === name);

/** The points of a metric, each as its attributes and its value. */
async function points(name) {
  metrics.reset();
  await reader.forceFlush();
  const all = metrics
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const metric = all.find(({ descriptor }) => descriptor.name === name);
  return metric?.dataPoints.map(({ attributes, value }) => ({ attributes, value }));
}

describe('spans', () => {
  test('of a run are an acquire, an execute and a destroy, below the span of the caller', async () => {
    const pool = bench.pool({ poolSize: 0 });
    await pool.run('print(1)');
    await until(() => named('scientist-pool destroy').length === 1);
    for (const operation of ['acquire', 'execute', 'destroy']) {
      const [span] = named(`scientist-pool ${operation}`);
      expect(span.kind).toBe(SpanKind.INTERNAL);
      expect(span.parentSpanContext.spanId).toBe(parent.spanContext().spanId);
      expect(span.status.code).toBe(SpanStatusCode.UNSET);
      expect(span.attributes).toMatchObject({
        'container.id': expect.stringMatching(/^\w{64}$/),
        'container.image.name': 'python',
        'container.image.tags': ['3.9-slim'],
      });
    }
    expect(named('scientist-pool execute')[0].attributes).toMatchObject({
      'process.exit.code': 0,
      'scientist_pool.execute.kind': 'script',
      'scientist_pool.execute.path': 'warm',
      'scientist_pool.execute.reason': 'exit',
    });
  });

  test('of files have what was done, how many there were, and their bytes', async () => {
    const pool = bench.pool({ poolSize: 0 });
    await pool.run('print(1)', { files: { a: '123', b: '4' }, collect: 'a' });
    const [written, read] = named('scientist-pool files');
    expect(written.parentSpanContext.spanId).toBe(parent.spanContext().spanId);
    expect(written.attributes).toEqual({
      'container.id': expect.stringMatching(/^\w{64}$/),
      'container.image.name': 'python',
      'container.image.tags': ['3.9-slim'],
      'scientist_pool.files.operation': 'writeFiles',
      'scientist_pool.files.count': 2,
      'scientist_pool.files.size': 4,
    });
    expect(read.attributes).toMatchObject({
      'scientist_pool.files.operation': 'readFiles',
      'scientist_pool.files.count': 1,
      'scientist_pool.files.size': 3,
    });
  });

  test('of files that are not there have the code of that', async () => {
    const container = await bench.pool({ poolSize: 0 }).acquire();
    await container.readFile('none').catch(() => undefined);
    const [span] = named('scientist-pool files');
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
    expect(span.attributes).toMatchObject({ 'error.type': 'FILE_NOT_FOUND' });
  });

  test.each([
    [{ exitCode: 3 }, '3', 3],
    [{ reason: 'oom' }, 'oom', 137],
  ])('of a script that ends as %j are errors', async (outcome, type, exitCode) => {
    bench.engine.reply('', outcome);
    await bench.pool({ poolSize: 0 }).run('1');
    const [span] = named('scientist-pool execute');
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
    expect(span.attributes).toMatchObject({ 'error.type': type, 'process.exit.code': exitCode });
  });

  test('of a call that rejects have its code and record it', async () => {
    bench.engine.fail('create', { message: 'disk full' });
    await bench
      .pool({ poolSize: 0 })
      .acquire()
      .catch(() => undefined);
    const [span] = named('scientist-pool acquire');
    expect(span.status).toMatchObject({
      code: SpanStatusCode.ERROR,
      message: expect.stringContaining('disk full'),
    });
    expect(span.attributes['error.type']).toBe('ENGINE_ERROR');
    expect(span.events[0].name).toBe('exception');
  });

  test('of creates and pulls have the times they really took', async () => {
    const pool = bench.pool({ image: 'registry.test:5000/team/py', poolSize: 1 });
    const created = new Promise((resolve) => pool.once('created', resolve));
    bench.engine.delay('start', 30);
    await pool.initialize();
    const { ms } = await created;
    await until(() => named('scientist-pool create').length === 1);
    const [span] = named('scientist-pool create');
    const [seconds, nanoseconds] = span.duration;
    expect(seconds * 1000 + nanoseconds / 1e6).toBeCloseTo(ms, 0);
    expect(named('scientist-pool pull')[0].attributes).toEqual({
      'container.image.name': 'registry.test:5000/team/py',
    });
  });

  test('of what the pool does by itself have no parent', async () => {
    const pool = bench.pool({ poolSize: 1, image: 'registry.test:5000/team/py' });
    await pool.initialize();
    await until(() => named('scientist-pool create').length === 1);
    for (const operation of ['create', 'pull']) {
      const [span] = named(`scientist-pool ${operation}`);
      expect(span.parentSpanContext).toBeUndefined();
    }
  });

  test('end with disable', async () => {
    instrumentation.disable();
    await bench.pool({ poolSize: 0 }).run('1');
    expect(spans.getFinishedSpans()).toEqual([]);
  });
});

describe('registration', () => {
  test('by registerInstrumentations takes its providers, and its end', async () => {
    instrumentation.disable();
    const own = new ScientistPoolInstrumentation({ enabled: false });
    await bench.pool({ poolSize: 0 }).run('1');
    expect(spans.getFinishedSpans()).toEqual([]);
    const unregister = registerInstrumentations({
      ...{ instrumentations: [own], tracerProvider, meterProvider },
    });
    await bench.pool({ poolSize: 0 }).run('1');
    expect(named('scientist-pool execute')).toHaveLength(1);
    unregister();
    await bench.pool({ poolSize: 0 }).run('1');
    expect(named('scientist-pool execute')).toHaveLength(1);
  });
});

describe('metrics', () => {
  test('count the containers of each pool by state', async () => {
    const pool = bench.pool({ poolSize: 2, max: 7 });
    await pool.initialize();
    await pool.acquire();
    await until(() => pool.stats().warm === 2);
    const counts = await points('scientist_pool.container.count');
    const at = (state) =>
      counts.find(({ attributes }) => attributes['scientist_pool.container.state'] === state);
    expect(at('idle')).toEqual({
      attributes: {
        'scientist_pool.pool.name': 'pool 0',
        'scientist_pool.container.state': 'idle',
      },
      value: 2,
    });
    expect(at('used').value).toBe(1);
    expect((await points('scientist_pool.container.max'))[0].value).toBe(7);
    expect((await points('scientist_pool.container.idle.min'))[0].value).toBe(2);
    expect((await points('scientist_pool.container.pending_requests'))[0].value).toBe(0);
  });

  test('count timeouts and lost containers', async () => {
    const pool = bench.pool({ poolSize: 0, max: 1 });
    const container = await pool.acquire();
    await pool.acquire({ timeout: 10 }).catch(() => undefined);
    bench.engine.containers[0].die();
    await until(() => pool.stats().totals.lost === 1);
    expect((await points('scientist_pool.container.timeouts'))[0].value).toBe(1);
    expect((await points('scientist_pool.container.lost'))[0].value).toBe(1);
    await container.destroy();
  });

  test('time what happens, in seconds, failures apart', async () => {
    bench.engine.reply('bad', { exitCode: 1 });
    const pool = bench.pool({ poolSize: 0 });
    await pool.run('good');
    await pool.run('bad');
    await until(() => named('scientist-pool destroy').length === 2);
    const calls = await points('scientist_pool.execute.duration');
    expect(calls.map(({ attributes, value }) => [attributes['error.type'], value.count])).toEqual([
      [undefined, 1],
      ['1', 1],
    ]);
    expect(calls[0].value.sum).toBeLessThan(10);
    for (const name of ['wait_time', 'create_time', 'destroy_time']) {
      const [point] = await points(`scientist_pool.container.${name}`);
      expect([name, point.value.count]).toEqual([name, 2]);
    }
  });

  test('are those of the singleton unless pools are named', async () => {
    const ContainerPoolManager = require('scientist-pool');
    instrumentation.setConfig({});
    expect(await points('scientist_pool.container.idle.min')).toBeUndefined();
    ContainerPoolManager.instance = bench.pool({ poolSize: 3 });
    const [point] = await points('scientist_pool.container.idle.min');
    ContainerPoolManager.instance = null;
    expect(point).toEqual({ attributes: { 'scientist_pool.pool.name': 'default' }, value: 3 });
  });
});
