import type { StructuredTool } from '@langchain/core/tools';
import type ContainerPoolManager from 'scientist-pool';

import type { PythonToolOptions } from '../tool.js';

export type { Picture, PythonToolInput, PythonToolOptions, PythonToolOutcome } from '../tool.js';

/**
 * A tool for LangChain.js (`@langchain/core` from 1.0 on): each call has a fresh container of the pool. The content
 * of its message is text and pictures, the artifact a {@link PythonToolOutcome}.
 *
 * @throws {PoolError} `INVALID_ARGUMENT`. A call rejects with what `pool.run` rejects with, but for what the model
 *   can mend: that is told to it.
 */
export function pythonTool(pool: ContainerPoolManager, options?: PythonToolOptions): StructuredTool;
