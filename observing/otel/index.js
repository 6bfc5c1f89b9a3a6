'use strict';

const { tracingChannel } = require('node:diagnostics_channel');

const {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  ValueType,
  context,
  metrics,
  trace,
} = require('@opentelemetry/api');

const { version } = require('../../package.json');
const attributes = require('./attributes');

const NAME = 'scientist-pool';

/** Seconds: from a warm acquire to a pull. */
const BOUNDARIES = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** The histogram of each operation that has one. */
const DURATIONS = {
  acquire: ['scientist_pool.container.wait_time', 'The time it took to get a container.'],
  create: ['scientist_pool.container.create_time', 'The time it took to make a container.'],
  execute: ['scientist_pool.execute.duration', 'The time a script or a command took.'],
  destroy: ['scientist_pool.container.destroy_time', 'The time it took to remove a container.'],
  pull: ['scientist_pool.image.pull_time', 'The time it took to pull the image.'],
};

/** The operations, by the names of their channels. */
const OPERATIONS = [...Object.keys(DURATIONS), 'files'];

const STATES = { warm: 'idle', leased: 'used', creating: 'creating', destroying: 'destroying' };

/** Spans and metrics of every pool in the process. `index.d.ts` is its documentation. */
class ScientistPoolInstrumentation {
  instrumentationName = NAME;
  instrumentationVersion = version;
  #config;
  #tracerProvider = trace;
  #meterProvider = metrics;
  #tracer;
  #durations;
  #stop = null;
  /** The span of a message that is under way, and when it began. */
  #open = new WeakMap();

  constructor(config = {}) {
    this.#config = config;
    if (config.enabled !== false) this.enable();
  }

  getConfig() {
    return this.#config;
  }

  setConfig(config) {
    this.#config = config;
  }

  setTracerProvider(provider) {
    this.#tracerProvider = provider;
    this.#restart();
  }

  setMeterProvider(provider) {
    this.#meterProvider = provider;
    this.#restart();
  }

  enable() {
    if (this.#stop !== null) return;
    this.#tracer = this.#tracerProvider.getTracer(NAME, version);
    const meter = this.#meterProvider.getMeter(NAME, version);
    this.#durations = durations(meter);
    const stops = [this.#observe(meter)];
    for (const operation of OPERATIONS) {
      const channel = tracingChannel(`scientist-pool:${operation}`);
      const listeners = {
        start: (message) => this.#start(operation, message),
        asyncEnd: (message) => this.#end(operation, message),
      };
      channel.subscribe(listeners);
      stops.push(() => channel.unsubscribe(listeners));
    }
    this.#stop = () => {
      for (const stop of stops) stop();
    };
  }

  disable() {
    this.#stop?.();
    this.#stop = null;
  }

  #restart() {
    if (this.#stop === null) return;
    this.disable();
    this.enable();
  }

  // ---- spans, and the histograms of what they time ----

  #start(operation, message) {
    const { startTime } = message;
    // What failed in the background before anything was known of it has no time to show.
    if (startTime === null) return;
    const span = this.#tracer.startSpan(
      `${NAME} ${operation}`,
      { kind: SpanKind.INTERNAL, startTime, attributes: attributes.begun(message) },
      // Of the pool itself, without a caller, is what it tells when it is over.
      'startTime' in message ? ROOT_CONTEXT : context.active(),
    );
    this.#open.set(message, { span, began: performance.now() });
  }

  #end(operation, message) {
    const { span, began } = this.#open.get(message) ?? {};
    const failure = attributes.failure(message);
    if (span !== undefined) {
      span.setAttributes(attributes.ended(message));
      if (failure !== undefined) {
        span.setAttribute(attributes.ERROR_TYPE, failure);
        span.setStatus({ code: SpanStatusCode.ERROR, message: message.error?.message });
      }
      if (message.error !== undefined) span.recordException(message.error);
      const told = 'startTime' in message;
      span.end(told ? message.startTime + message.duration : undefined);
    }
    const ms = message.duration ?? (began === undefined ? null : performance.now() - began);
    if (ms === null) return;
    this.#durations[operation]?.record(ms / 1000, {
      ...attributes.image(message.image),
      ...(failure === undefined ? {} : { [attributes.ERROR_TYPE]: failure }),
    });
  }

  // ---- what the pools hold ----

  /** Has a meter ask for the pools' numbers. What it returns ends that. */
  #observe(meter) {
    const count = meter.createObservableUpDownCounter('scientist_pool.container.count', {
      description: 'The containers that are in the state of the attribute.',
      unit: '{container}',
      valueType: ValueType.INT,
    });
    const most = meter.createObservableUpDownCounter('scientist_pool.container.max', {
      description: 'The most containers allowed.',
      unit: '{container}',
      valueType: ValueType.INT,
    });
    const target = meter.createObservableUpDownCounter('scientist_pool.container.idle.min', {
      description: 'How many warm containers the pool keeps.',
      unit: '{container}',
      valueType: ValueType.INT,
    });
    const pending = meter.createObservableUpDownCounter(
      'scientist_pool.container.pending_requests',
      {
        description: 'The callers in line for a container.',
        unit: '{request}',
        valueType: ValueType.INT,
      },
    );
    const timeouts = meter.createObservableCounter('scientist_pool.container.timeouts', {
      description: 'The callers that got no container in time.',
      unit: '{timeout}',
      valueType: ValueType.INT,
    });
    const lost = meter.createObservableCounter('scientist_pool.container.lost', {
      description: 'The containers that ended although nobody asked for it.',
      unit: '{container}',
      valueType: ValueType.INT,
    });
    const connections = meter.createObservableCounter('scientist_pool.egress.connections', {
      description: 'The connections that containers made or tried to make through their proxies.',
      unit: '{connection}',
      valueType: ValueType.INT,
    });
    const bytes = meter.createObservableCounter('scientist_pool.egress.io', {
      description: 'The bytes of the connections of containers that have ended.',
      unit: 'By',
      valueType: ValueType.INT,
    });
    const instruments = [count, most, target, pending, timeouts, lost, connections, bytes];
    const callback = (observer) => {
      for (const [name, pool] of Object.entries(this.#pools())) {
        const stats = pool.stats();
        const of = { [attributes.POOL_NAME]: name };
        for (const [counted, state] of Object.entries(STATES)) {
          observer.observe(count, stats[counted], { ...of, [attributes.STATE]: state });
        }
        if (stats.max !== null) observer.observe(most, stats.max, of);
        observer.observe(target, stats.poolSize, of);
        observer.observe(pending, stats.waiting, of);
        observer.observe(timeouts, stats.totals.timeouts, of);
        observer.observe(lost, stats.totals.lost, of);
        if (stats.egress === null) continue;
        const { allowed, refused, bytesSent, bytesReceived } = stats.egress;
        observer.observe(connections, allowed, { ...of, [attributes.ALLOWED]: true });
        observer.observe(connections, refused, { ...of, [attributes.ALLOWED]: false });
        observer.observe(bytes, bytesSent, { ...of, [attributes.DIRECTION]: 'transmit' });
        observer.observe(bytes, bytesReceived, { ...of, [attributes.DIRECTION]: 'receive' });
      }
    };
    meter.addBatchObservableCallback(callback, instruments);
    return () => meter.removeBatchObservableCallback(callback, instruments);
  }

  #pools() {
    const { pools } = this.#config;
    if (pools !== undefined) return typeof pools === 'function' ? pools() : pools;
    const { instance } = require('../..');
    return instance ? { default: instance } : {};
  }
}

function durations(meter) {
  return Object.fromEntries(
    Object.entries(DURATIONS).map(([operation, [name, description]]) => [
      operation,
      meter.createHistogram(name, {
        description,
        unit: 's',
        advice: { explicitBucketBoundaries: BOUNDARIES },
      }),
    ]),
  );
}

module.exports = { ScientistPoolInstrumentation };
