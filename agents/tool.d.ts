import type { ExecuteResult } from 'scientist-pool';

/** The options of a tool that models call with Python code. */
export interface PythonToolOptions {
  /** What the model calls it by. @defaultValue 'run_python' */
  name?: string | undefined;
  /**
   * What the model is told of it. @defaultValue that each call has a fresh sandbox without network, how long it may
   * take, and what comes back
   */
  description?: string | undefined;
  /** Of a call, ms; 0: no limit. @defaultValue 30 000 */
  timeout?: number | undefined;
  /**
   * The most characters of stdout, and of stderr, that the model is given. What is longer has its middle left out,
   * and says so. @defaultValue 20 000
   */
  mostText?: number | undefined;
  /** What is taken of the files that the code leaves, as `Container.readFiles` has it. @defaultValue '**' */
  collect?: string | readonly string[] | undefined;
}

/** What a model gives. */
export interface PythonToolInput {
  /** Python source. */
  code: string;
  /** Text files that are in the working directory before. */
  files?: { path: string; content: string }[] | undefined;
}

/** A picture that the code has left as a file, or shown: PNG, JPEG, GIF or WebP of at most 3 MiB. */
export interface Picture {
  /** Of one that was shown, a name such as `shown-1.png`. */
  path: string;
  mediaType: string;
  data: Buffer;
}

/** What came of a call. */
export interface PythonToolOutcome {
  /** For the model: what was printed and shown, why it ended if not by itself, its files by name and size. */
  text: string;
  /** Whether the code did not end well, or did not run for what the model gave. */
  isError: boolean;
  pictures: Picture[];
  /** Path → content of what the code has left, pictures too; not what it was given and has left as it was. */
  files: Record<string, Buffer>;
  /** `null`: it did not run. */
  result: ExecuteResult | null;
}
