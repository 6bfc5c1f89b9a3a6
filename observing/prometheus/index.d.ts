import type { Registry } from 'prom-client';

import ContainerPoolManager = require('../../index.js');

/**
 * Puts the numbers of `stats()` into a registry of `prom-client`, read at each collection: gauges of
 * containers, callers in line and percentiles, counters of all that happened. Each has the label `pool`.
 * Takes `prom-client`, which you have installed if you use it.
 *
 * @example
 * ```js
 * const { register } = require('prom-client');
 * const { registerPools } = require('scientist-pool/prometheus');
 * const ContainerPoolManager = require('scientist-pool');
 *
 * registerPools({ tools: ContainerPoolManager.getInstance() });
 * console.log(await register.metrics()); // what GET /metrics answers
 * ```
 *
 * @param pools By the name that goes into the label; or a function that gives them, asked at each
 *   collection.
 * @returns Takes the metrics out of the registry again.
 * @throws What prom-client throws where the registry has a metric of that name already.
 */
export function registerPools(pools: Pools | (() => Pools), options?: RegisterOptions): () => void;

/** Pools by the names under which they are shown. */
export type Pools = Readonly<Record<string, Pick<ContainerPoolManager, 'stats'>>>;

/** Where the metrics go, and how they are named. */
export interface RegisterOptions {
  /** @defaultValue prom-client's global one */
  registry?: Registry | undefined;
  /** What the names of the metrics begin with. @defaultValue 'scientist_pool_' */
  prefix?: string | undefined;
}
