// Checked by `npm run types`; never run. What a program that watches its pools says.

import { tracingChannel } from 'node:diagnostics_channel';

import { metrics, trace } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { Registry } from 'prom-client';
import Pool, { type TracingMessages } from 'scientist-pool';
import { showPools } from 'scientist-pool/monitor';
import { ScientistPoolInstrumentation } from 'scientist-pool/otel';
import { registerPools } from 'scientist-pool/prometheus';

const pool = new Pool();

tracingChannel<unknown, TracingMessages['execute']>('scientist-pool:execute').subscribe({
  start() {},
  end() {},
  asyncStart() {},
  asyncEnd: ({ containerId, kind, result }) => [
    containerId,
    kind,
    result?.exitCode,
    result?.reason,
  ],
  error: ({ error }) => error,
});

tracingChannel<unknown, TracingMessages['files']>('scientist-pool:files').asyncEnd.subscribe(
  (message) => {
    const { operation, result } = message as TracingMessages['files'];
    const bytes: number = operation === 'readFile' ? (result?.bytes ?? 0) : 0;
    return bytes;
  },
);

const instrumentation = new ScientistPoolInstrumentation({ pools: () => ({ tools: pool }) });
instrumentation.setTracerProvider(trace.getTracerProvider());
instrumentation.setMeterProvider(metrics.getMeterProvider());
instrumentation.disable();
registerInstrumentations({ instrumentations: [instrumentation] })();

const remove: () => void = registerPools(
  { tools: pool },
  { registry: new Registry(), prefix: 'x_' },
);
remove();

const stop: () => Promise<void> = await showPools(() => ({ tools: pool }));
await stop();

// @ts-expect-error a pool has stats
registerPools({ tools: {} });
