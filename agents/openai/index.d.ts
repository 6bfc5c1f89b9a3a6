import type ContainerPoolManager from 'scientist-pool';

import type { PythonToolOptions } from '../tool.js';

export type { PythonToolInput, PythonToolOptions } from '../tool.js';

/** A part of an answer: text, or a picture as a data URL. */
export type OutputContent =
  | { type: 'input_text'; text: string }
  | { type: 'input_image'; detail: 'auto'; image_url: string };

/** The options of an answer. With `signal`: it rejects with the signal's reason, and the container ends. */
export interface AnswerOptions {
  signal?: AbortSignal | undefined;
}

/** A tool in the shapes of OpenAI's SDK. */
export interface OpenAITool {
  /** For `tools` of `responses.create`. */
  readonly definition: {
    type: 'function';
    name: string;
    description: string;
    parameters: Record<string, unknown>;
    strict: false;
  };
  /** Answers an item `function_call` of a response: for the input of the next one. */
  answer(
    call: { call_id: string; arguments: string },
    options?: AnswerOptions,
  ): Promise<{ type: 'function_call_output'; call_id: string; output: string | OutputContent[] }>;
  /** For `tools` of `chat.completions.create`. */
  readonly chatDefinition: {
    type: 'function';
    function: { name: string; description: string; parameters: Record<string, unknown> };
  };
  /** Answers one of the `tool_calls` of a chat completion, in text alone: there are no pictures in such messages. */
  chatAnswer(
    call: { id: string; function: { arguments: string } },
    options?: AnswerOptions,
  ): Promise<{ role: 'tool'; tool_call_id: string; content: string }>;
}

/**
 * A tool in the shapes of OpenAI's SDK: each call has a fresh container of the pool.
 *
 * @throws {PoolError} `INVALID_ARGUMENT`. An answer rejects with what `pool.run` rejects with, but for what the model
 *   can mend: that is told to it.
 */
export function pythonTool(pool: ContainerPoolManager, options?: PythonToolOptions): OpenAITool;
