import type { Tool } from 'ai';
import type ContainerPoolManager from 'scientist-pool';

import type { PythonToolInput, PythonToolOptions, PythonToolOutcome } from '../tool.js';

export type { Picture, PythonToolInput, PythonToolOptions, PythonToolOutcome } from '../tool.js';

/**
 * A tool for the Vercel AI SDK (`ai` from 6.0 on): each call has a fresh container of the pool. The model sees text
 * and pictures. An aborted generation ends its containers.
 *
 * @param options `name` is of no use here: the SDK takes the tool's key.
 * @throws {PoolError} `INVALID_ARGUMENT`. A call rejects with what `pool.run` rejects with, but for what the model
 *   can mend: that is told to it.
 */
export function pythonTool(
  pool: ContainerPoolManager,
  options?: PythonToolOptions,
): Tool<PythonToolInput, PythonToolOutcome>;
