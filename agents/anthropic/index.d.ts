import type ContainerPoolManager from 'scientist-pool';

import type { PythonToolInput, PythonToolOptions } from '../tool.js';

export type { PythonToolInput, PythonToolOptions } from '../tool.js';

/** What a model is told: for `tools` of `messages.create`. */
export interface ToolDefinition {
  name: string;
  description: string;
  input_schema: { type: 'object' };
}

/** A part of an answer: text, or a picture in base64. */
export type ToolContent =
  | { type: 'text'; text: string }
  | {
      type: 'image';
      source: {
        type: 'base64';
        media_type: 'image/gif' | 'image/jpeg' | 'image/png' | 'image/webp';
        data: string;
      };
    };

/** The answer to a call: for the content of the user's next message. */
export interface ToolAnswer {
  type: 'tool_result';
  tool_use_id: string;
  content: ToolContent[];
  is_error: boolean;
}

/** A tool in the shape of Anthropic's SDK. */
export interface AnthropicTool {
  readonly definition: ToolDefinition;
  /** Answers a block `tool_use` of a message. With `signal`: rejects with its reason, and the container ends. */
  answer(
    call: { id: string; input: unknown },
    options?: { signal?: AbortSignal | undefined },
  ): Promise<ToolAnswer>;
  /** The same for `client.beta.messages.toolRunner`, which calls it by itself. */
  readonly runnable: ToolDefinition & {
    /** What the runner calls before `run`. */
    parse(input: unknown): PythonToolInput;
    /** What the runner calls. */
    run(
      input: PythonToolInput,
      context?: { signal?: AbortSignal | null | undefined },
    ): Promise<ToolContent[]>;
  };
}

/**
 * A tool in the shape of Anthropic's SDK: each call has a fresh container of the pool.
 *
 * @throws {PoolError} `INVALID_ARGUMENT`. A call rejects with what `pool.run` rejects with, but for what the model
 *   can mend: that is told to it.
 */
export function pythonTool(pool: ContainerPoolManager, options?: PythonToolOptions): AnthropicTool;
