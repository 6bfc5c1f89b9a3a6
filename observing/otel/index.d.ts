import type { MeterProvider, TracerProvider } from '@opentelemetry/api';

import ContainerPoolManager = require('../../index.js');

/**
 * OpenTelemetry spans and metrics of the pools in this process. It has the shape that
 * `registerInstrumentations` takes, and listens from its construction on. Takes `@opentelemetry/api`,
 * which you have installed if you use OpenTelemetry.
 *
 * Spans (`scientist-pool acquire`, `… execute`, `… files`, `… destroy`, children of the caller's span;
 * `… create` and `… pull`, which go on in the background): `container.id`, `container.image.name`,
 * `container.image.tags`, `error.type`; for an `execute` also `process.exit.code` and
 * `scientist_pool.execute.kind`, `.reason` and `.path`; for `files` also `scientist_pool.files.operation`
 * (`writeFiles`, `readFile` or `readFiles`), `.count` and `.size` (bytes in all). Scripts, arguments,
 * environments, output and files are in none of them.
 *
 * @example
 * ```js
 * const { registerInstrumentations } = require('@opentelemetry/instrumentation');
 * const { ScientistPoolInstrumentation } = require('scientist-pool/otel');
 *
 * registerInstrumentations({ instrumentations: [new ScientistPoolInstrumentation()] });
 * ```
 */
export class ScientistPoolInstrumentation {
  constructor(config?: ScientistPoolInstrumentationConfig);

  readonly instrumentationName: 'scientist-pool';
  readonly instrumentationVersion: string;

  /** Begins to listen. The constructor does it unless `enabled` is false. */
  enable(): void;

  /** Ends it. What is under way is not told. */
  disable(): void;

  /** @defaultValue the global one */
  setTracerProvider(provider: TracerProvider): void;

  /** @defaultValue the global one */
  setMeterProvider(provider: MeterProvider): void;

  /** Takes the place of what the constructor was given. */
  setConfig(config: ScientistPoolInstrumentationConfig): void;

  /** What it was given, as OpenTelemetry's own type spells it. */
  getConfig(): ScientistPoolInstrumentationConfig & { enabled?: boolean };
}

/** What an instrumentation listens to. */
export interface ScientistPoolInstrumentationConfig {
  /** Whether it listens from the beginning. `registerInstrumentations` has it listen in any case. @defaultValue true */
  enabled?: boolean | undefined;
  /**
   * The pools whose containers are counted, by the name that goes into `scientist_pool.pool.name`; or
   * a function that gives them, asked at each collection.
   * @defaultValue the singleton, as `default`, if there is one
   */
  pools?: Pools | (() => Pools) | undefined;
}

/** Pools by the names under which they are shown. */
export type Pools = Readonly<Record<string, Pick<ContainerPoolManager, 'stats'>>>;
