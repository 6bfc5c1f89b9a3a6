// Checked by `npm run types`; never run. With `exactOptionalPropertyTypes`, whoever passes on an option
// that may not be given passes on `undefined`: every optional property takes it.

import type * as Package from 'scientist-pool';
import type { ScientistPoolInstrumentationConfig } from 'scientist-pool/otel';
import type { RegisterOptions } from 'scientist-pool/prometheus';
import type { FakeEngineOptions, Job, Outcome } from 'scientist-pool/testing';

/** The type with `undefined` for every property that may be left out. */
type Loose<T> = { [K in keyof T]: object extends Pick<T, K> ? T[K] | undefined : T[K] };
/** Fails to compile unless what may be left out may be `undefined`. */
function passesOn<T>(..._: Loose<T> extends T ? [] : [never]): void {}

// @ts-expect-error the check itself: this property takes no `undefined`
passesOn<{ timeout?: number }>();

passesOn<Package.PoolOptions>();
passesOn<Package.EngineOptions>();
passesOn<Package.AcquireOptions>();
passesOn<Package.ShutdownOptions>();
passesOn<Package.ScriptOptions>();
passesOn<Package.CommandOptions>();
passesOn<Package.RunScriptOptions>();
passesOn<Package.RunCommandOptions>();
passesOn<Package.SpawnOptions>();
passesOn<Package.SpawnCommandOptions>();
passesOn<Package.LinesOptions>();
passesOn<Package.FileOptions>();
passesOn<Package.ReadFileOptions>();
passesOn<Package.ReadFilesOptions>();
passesOn<Package.PoolErrorDetails>();
// `stack` is the language's own.
passesOn<Omit<Package.PoolError, 'stack'>>();
passesOn<Package.EngineHealth>();
passesOn<Package.TracingMessages['acquire']>();
passesOn<ScientistPoolInstrumentationConfig>();
passesOn<RegisterOptions>();
passesOn<FakeEngineOptions>();
passesOn<Outcome>();
passesOn<Job>();

declare const pool: Package.ContainerPoolManager;
declare const container: Package.Container;
declare const timeout: number | undefined;
declare const mode: number | undefined;
await pool.acquire({ timeout });
await pool.run('1', { timeout, files: { a: { data: 'x', mode } } });
await pool.run(['ls'], { timeout });
await container.execute('1', {}, [], { timeout });
await container.execute(['ls'], { timeout });
await container.readFile('a', { encoding: 'utf8', timeout });
