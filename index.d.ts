/// <reference types="node" />

import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';

/**
 * A pool of warm, hardened, one-shot containers for untrusted Python, and the singleton of the process.
 *
 * Requiring the package starts nothing. An idle pool does not keep Node alive; a pending call does.
 * When the process goes away in any manner, its containers go away with it.
 *
 * @example
 * ```js
 * const ContainerPoolManager = require('scientist-pool');
 *
 * const container = await ContainerPoolManager.getInstance().acquire();
 * try {
 *   const { stdout, exitCode } = await container.execute('print("hello")');
 * } finally {
 *   await container.destroy();
 * }
 * ```
 */
declare class ContainerPoolManager extends EventEmitter {
  /** The singleton, or `null`. Assigning `null` resets it; it does not shut the pool down. */
  static instance: ContainerPoolManager | null;

  /**
   * The singleton, made on first use.
   *
   * @param options For the first call. With an existing instance they must come to the same settings.
   * @throws {PoolError} `INVALID_ARGUMENT`: a wrong option or environment variable, or options that
   *   differ from those of the existing instance. `BINDING_UNAVAILABLE`.
   */
  static getInstance(options?: ContainerPoolManager.PoolOptions): ContainerPoolManager;

  /**
   * A pool of its own. Reads the environment variables of {@link ContainerPoolManager.PoolOptions} now;
   * talks to no engine before the first `initialize`, `acquire` or `run`.
   *
   * @throws {PoolError} `INVALID_ARGUMENT`: a wrong option or environment variable, by its name.
   *   `BINDING_UNAVAILABLE`: the native part could not be loaded; the message says why, and what helps.
   */
  constructor(options?: ContainerPoolManager.PoolOptions);

  /** The image, as configured. */
  readonly image: string;

  /** The READY containers, oldest first: a fresh array of them. */
  readonly pool: ContainerPoolManager.Container[];

  /**
   * How many READY containers the pool keeps: the target of this moment where it follows demand.
   *
   * @example
   * ```js
   * const { ContainerPoolManager } = require('scientist-pool');
   *
   * const pool = new ContainerPoolManager({ poolSize: { min: 1, max: 8 } });
   * console.log(pool.poolSize); // 1, as nobody has called
   * pool.poolSize = { min: 2, max: 16 }; // for the day
   * pool.poolSize = 4; // from now on four, however many call
   * await pool.shutdown();
   * ```
   */
  get poolSize(): number;
  /**
   * A number makes the pool grow or shrink to it; a range has it follow demand.
   *
   * @throws {PoolError} `INVALID_ARGUMENT`: not a whole number from 0 to 10 000 or a range of such, or
   *   more than `max`.
   */
  set poolSize(size: number | ContainerPoolManager.PoolSizeRange);

  /** Whether an {@link initialize} is under way. */
  readonly isInitializing: boolean;

  /**
   * Makes sure the image is there (pulls it if not, as the option `pull` says), then warms `poolSize`
   * containers. Concurrent calls share one warm-up; a later call tops the pool up; after `shutdown()`
   * it opens the pool again.
   *
   * @throws {PoolError} `ENGINE_UNAVAILABLE`, `ENGINE_ERROR`, `IMAGE_NOT_FOUND`, `IMAGE_PULL_FAILED`;
   *   `POOL_CLOSED` if the pool is shut down meanwhile.
   */
  initialize(): Promise<void>;

  /**
   * The oldest READY container, and a refill starts in the background. With none READY, one is created
   * on demand, and the caller gets whichever comes first, the refill's or its own. At `max`, callers
   * wait in line, first come first served. Works before `initialize()`.
   *
   * @throws {PoolError} `ACQUIRE_TIMEOUT`; `POOL_EXHAUSTED`: the line is full; `POOL_CLOSED`;
   *   `INVALID_ARGUMENT`; or what kept the container from being made: `ENGINE_UNAVAILABLE`,
   *   `ENGINE_ERROR`, `IMAGE_NOT_FOUND`, `IMAGE_PULL_FAILED`. With `signal`: the signal's reason.
   */
  acquire(options?: ContainerPoolManager.AcquireOptions): Promise<ContainerPoolManager.Container>;

  /**
   * Acquires, executes and destroys in one call. Resolves as soon as the result is known; the removal
   * goes on behind it, and `shutdown()` waits for it. A container that dies before anything was sent to it
   * is exchanged once, unless a file came from a stream.
   *
   * With `files` it writes files first; with patterns in `collect` the result has the `files` that match
   * after the end, and the `fileErrors` of those that could not be had. The `timeout` counts for each of
   * the three.
   *
   * @example
   * ```js
   * const { run, shutdown } = require('scientist-pool');
   *
   * const script = 'open("out.txt", "w").write(open("in/words.txt").read().upper())';
   * const { exitCode, files } = await run(script, {
   *   files: { 'in/words.txt': 'hello' },
   *   collect: '*.txt', // or several: ['*.txt', 'plots/**']
   *   timeout: 10_000,
   * });
   * for (const [path, content] of Object.entries(files)) console.log(path, String(content)); // out.txt HELLO
   * await shutdown();
   * ```
   *
   * @param script Python source.
   * @throws what {@link acquire}, {@link ContainerPoolManager.Container.execute} and
   *   {@link ContainerPoolManager.Container.writeFiles} throw.
   */
  run<E extends ContainerPoolManager.Encoding = 'utf8'>(
    script: string | Uint8Array,
    options: Omit<ContainerPoolManager.RunScriptOptions<E>, 'collect'> &
      ContainerPoolManager.CollectFiles,
  ): Promise<ContainerPoolManager.ExecuteResult<E> & ContainerPoolManager.CollectedFiles>;
  run<E extends ContainerPoolManager.Encoding = 'utf8'>(
    cmd: readonly string[],
    options: Omit<ContainerPoolManager.RunCommandOptions<E>, 'collect'> &
      ContainerPoolManager.CollectFiles,
  ): Promise<ContainerPoolManager.ExecuteResult<E> & ContainerPoolManager.CollectedFiles>;
  run<E extends ContainerPoolManager.Encoding = 'utf8'>(
    script: string | Uint8Array,
    options?: ContainerPoolManager.RunScriptOptions<E>,
  ): Promise<ContainerPoolManager.ExecuteResult<E>>;
  run<E extends ContainerPoolManager.Encoding = 'utf8'>(
    cmd: readonly string[],
    options?: ContainerPoolManager.RunCommandOptions<E>,
  ): Promise<ContainerPoolManager.ExecuteResult<E>>;

  /**
   * Closes at once to newcomers, rejects those in line (`POOL_CLOSED`), waits for containers still being
   * created, destroys the READY ones, gives the leased ones `grace` ms, then destroys them too.
   * Idempotent: calls during a shutdown share it. Afterwards the engine holds nothing of this pool. If
   * it could not remove everything, the next call tries again.
   *
   * @throws {PoolError} `INVALID_ARGUMENT`; `ENGINE_UNAVAILABLE`, `ENGINE_ERROR`: a container could not
   *   be removed.
   */
  shutdown(options?: ContainerPoolManager.ShutdownOptions): Promise<void>;

  /** A snapshot of what the pool holds and has done. */
  stats(): ContainerPoolManager.PoolStats;

  /** The same as `shutdown()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;

  /** Listens to an event of {@link ContainerPoolManager.PoolEvents}. */
  on<E extends keyof ContainerPoolManager.PoolEvents>(
    event: E,
    listener: (...args: ContainerPoolManager.PoolEvents[E]) => void,
  ): this;
  // biome-ignore lint/suspicious/noExplicitAny: as the method it overrides has it
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  /** Listens to the next such event only. */
  once<E extends keyof ContainerPoolManager.PoolEvents>(
    event: E,
    listener: (...args: ContainerPoolManager.PoolEvents[E]) => void,
  ): this;
  // biome-ignore lint/suspicious/noExplicitAny: as the method it overrides has it
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  /** Ends what `on` began. */
  off<E extends keyof ContainerPoolManager.PoolEvents>(
    event: E,
    listener: (...args: ContainerPoolManager.PoolEvents[E]) => void,
  ): this;
  // biome-ignore lint/suspicious/noExplicitAny: as the method it overrides has it
  off(event: string | symbol, listener: (...args: any[]) => void): this;
}

// Under its own name in the namespace, so that `const { ContainerPoolManager } = require(…)` has it.
import Manager = ContainerPoolManager;

declare namespace ContainerPoolManager {
  export { Manager as ContainerPoolManager };

  /** {@link ContainerPoolManager.initialize} of the singleton. */
  export function initialize(): Promise<void>;

  /** {@link ContainerPoolManager.acquire} of the singleton. */
  export function acquire(options?: AcquireOptions): Promise<Container>;

  /**
   * `container.execute(…)`, the container given itself or by its id.
   *
   * @throws {PoolError} `CONTAINER_TERMINATED` for an id that no live container of the singleton has.
   */
  export function execute<E extends Encoding = 'utf8'>(
    container: Container | string,
    script: string | Uint8Array,
    env?: Env,
    args?: readonly (string | number)[],
    options?: ScriptOptions<E>,
  ): Promise<ExecuteResult<E>>;
  export function execute<E extends Encoding = 'utf8'>(
    container: Container | string,
    cmd: readonly string[],
    options?: CommandOptions<E>,
  ): Promise<ExecuteResult<E>>;

  /**
   * `container.spawn(…)`, the container given itself or by its id.
   *
   * @throws {PoolError} `CONTAINER_TERMINATED` for an id that no live container of the singleton has.
   */
  export function spawn(
    container: Container | string,
    script: string | Uint8Array,
    env?: Env,
    args?: readonly (string | number)[],
    options?: SpawnOptions,
  ): Child<null>;
  export function spawn(
    container: Container | string,
    cmd: readonly string[],
    options?: SpawnCommandOptions,
  ): Child;

  /** `container.destroy()`, the container given itself or by its id. An id that is gone is success. */
  export function destroy(container: Container | string): Promise<void>;

  /** {@link ContainerPoolManager.shutdown} of the singleton; nothing if there is none. */
  export function shutdown(options?: ShutdownOptions): Promise<void>;

  /** {@link ContainerPoolManager.run} of the singleton. */
  export const run: ContainerPoolManager['run'];

  /**
   * A container on lease: one-shot, never reused. Destroy it when done; a lease that is dropped without
   * that is destroyed when it is garbage-collected.
   */
  export class Container {
    /** Containers come from {@link ContainerPoolManager.acquire}. */
    private constructor();

    /** The engine's container id, in full. */
    readonly id: string;

    /** `'BUSY'` from the first execute, or the first file written or read, on. */
    readonly status: 'READY' | 'BUSY' | 'TERMINATED';

    /** When the pool will end it, in ms since the epoch; `null`: not by the clock. */
    readonly expiry: number | null;

    /** What the engine was told of what it may do, and what of that the engine does not honour. */
    readonly security: ContainerSecurity;

    /**
     * Runs Python source as `python3 - ...args` would. Resolves whatever the script does: a crash, a
     * timeout and an out-of-memory kill are results. `stdout` and `stderr` are trimmed (see `trim`).
     *
     * @param script Python source, as text or as the bytes that `python3 -` would read: of at most as many
     *   bytes as the container has memory.
     * @param env Added to the container's environment.
     * @param args What the script finds in `sys.argv[1:]`. Arguments and variables have a sixteenth of the
     *   container's `memory` each at most (8 MiB of 128 MiB), and 64 MiB.
     * @throws {PoolError} `INVALID_ARGUMENT`; `CONTAINER_TERMINATED`: destroyed before or meanwhile;
     *   `CONTAINER_LOST`: it ended without anybody here asking for it; `ENGINE_UNAVAILABLE`,
     *   `ENGINE_ERROR`. With `signal`: the signal's reason. What `onStdout` or `onStderr` threw.
     */
    execute<E extends Encoding = 'utf8'>(
      script: string | Uint8Array,
      env?: Env,
      args?: readonly (string | number)[],
      options?: ScriptOptions<E>,
    ): Promise<ExecuteResult<E>>;
    /** The same as {@link executeCommand}. */
    execute<E extends Encoding = 'utf8'>(
      cmd: readonly string[],
      options?: CommandOptions<E>,
    ): Promise<ExecuteResult<E>>;

    /**
     * Runs a command, without a shell. Its output is not trimmed (see `trim`).
     *
     * @param cmd The program and its arguments.
     * @throws as {@link execute} does.
     */
    executeCommand<E extends Encoding = 'utf8'>(
      cmd: readonly string[],
      options?: CommandOptions<E>,
    ): Promise<ExecuteResult<E>>;

    /**
     * Begins an interpreter that stays, for many runs one after another. It takes the container's own, so calls
     * meanwhile run beside it on the cold path. It ends with its lease.
     *
     * @throws {PoolError} `INVALID_ARGUMENT`; `CONTAINER_BUSY`: another call or session has the interpreter;
     *   `ENGINE_ERROR`: it did not come up, or the image has none; `CONTAINER_TERMINATED`, `CONTAINER_LOST`.
     */
    session(options?: SessionOptions): Promise<Session>;

    /**
     * Begins a call as {@link execute} does, and returns at once: its output comes as streams. Each call
     * runs whatever others do in the container; one beside another takes the cold path.
     *
     * @example
     * ```js
     * const { acquire, shutdown } = require('scientist-pool');
     *
     * const container = await acquire();
     * try {
     *   const child = container.spawn('for n in range(3): print(n, n * n)', {}, [], { timeout: 10_000 });
     *   for await (const line of child) console.log(line);
     *   const { exitCode, reason } = await child.exit;
     *   console.log(exitCode, reason); // 0 exit
     * } finally {
     *   await container.destroy();
     * }
     * await shutdown();
     * ```
     *
     * @param script Python source. It is what the interpreter reads from its stdin, so there is no other.
     * @throws {PoolError} `INVALID_ARGUMENT`. All else is told by the child's streams and its `exit`.
     */
    spawn(
      script: string | Uint8Array,
      env?: Env,
      args?: readonly (string | number)[],
      options?: SpawnOptions,
    ): Child<null>;
    /**
     * The same for a command, which reads what is written to the child's `stdin`: `end()` that, where it
     * reads until the end.
     *
     * @example
     * ```js
     * const { acquire, shutdown } = require('scientist-pool');
     *
     * const container = await acquire();
     * try {
     *   const sort = container.spawn(['sort', '-u'], { encoding: 'utf8' });
     *   sort.stdin.end('b\na\nb\n'); // or pipeline(stream, sort.stdin)
     *   for await (const chunk of sort.stdout) process.stdout.write(chunk);
     *   console.log((await sort.exit).exitCode);
     * } finally {
     *   await container.destroy();
     * }
     * await shutdown();
     * ```
     *
     * @param cmd The program and its arguments, without a shell.
     */
    spawn(cmd: readonly string[], options?: SpawnCommandOptions): Child;

    /**
     * Writes files below the working directory: before a call, between two, or beside one. Folders are
     * made as needed. A file appears complete or not at all, and replaces one of its name; the files are
     * written in order, and those before one that fails stay. Streams are passed on as they come, 4 MiB
     * at a time. No link in the container is followed.
     *
     * @example
     * ```js
     * const { Readable } = require('node:stream');
     * const { acquire, shutdown } = require('scientist-pool');
     *
     * const container = await acquire();
     * try {
     *   await container.writeFiles({
     *     'data/in.csv': 'a,b\n1,2\n',
     *     'data/big.csv': Readable.from(['a,b\n', '3,4\n']), // or any other stream, such as that of a file
     *     'tool.sh': { data: '#!/bin/sh\nwc -l data/*.csv\n', mode: 0o755 },
     *   });
     *   const { stdout } = await container.executeCommand(['./tool.sh']);
     *   console.log(stdout);
     * } finally {
     *   await container.destroy();
     * }
     * await shutdown();
     * ```
     *
     * @param files Path → content. Paths are relative, names with `/` between them, without `.` and `..`.
     * @throws {PoolError} `INVALID_ARGUMENT`; `FILE_ERROR` with `path` and `errno`: it could not be
     *   written, for want of space (`ENOSPC`, `EDQUOT`), beyond `ulimits.fsize` (`EFBIG`), or because the
     *   image has no `python3` (on the local engine only beside another call); `CONTAINER_TERMINATED`, also
     *   past `timeout`; `CONTAINER_LOST`; `ENGINE_UNAVAILABLE`, `ENGINE_ERROR`. With `signal`: the signal's
     *   reason. What a stream failed with.
     */
    writeFiles(files: Files, options?: FileOptions): Promise<void>;

    /**
     * What a file below the working directory holds, as a Buffer unless `encoding` says otherwise. No
     * link is followed, and what is no regular file is not read. It is as much the scripts' word as their
     * output is.
     *
     * @example
     * ```js
     * const { acquire, shutdown } = require('scientist-pool');
     *
     * const container = await acquire();
     * try {
     *   await container.writeFiles({ 'notes.txt': 'hello' });
     *   const bytes = await container.readFile('notes.txt', { maxBytes: '1m' }); // a Buffer
     *   const text = await container.readFile('notes.txt', 'utf8'); // a string
     *   console.log(bytes.length, text); // 5 hello
     * } finally {
     *   await container.destroy();
     * }
     * await shutdown();
     * ```
     *
     * @param path Relative, names with `/` between them, without `.` and `..`.
     * @param options `'utf8'` is short for `{ encoding: 'utf8' }`.
     * @throws {PoolError} `FILE_NOT_FOUND`; `FILE_LIMIT`: it has more than `maxBytes`; `FILE_ERROR` with
     *   `path` and `errno`; else as {@link writeFiles}.
     */
    readFile<E extends Encoding = 'buffer'>(
      path: string,
      options?: ReadFileOptions<E> | E,
    ): Promise<Output<E>>;

    /**
     * The files below the working directory that a pattern, or one of several, matches: path → content,
     * in an object without a prototype. `*` and `?` stand for characters of a name, `[a-z]` and `[!a-z]`
     * for one of some or none of them, and `**` as a whole name for any number of folders, 64 at most. A
     * name that begins with a dot is matched only where the pattern has that dot. Links, what is no
     * regular file, names that are no UTF-8, and other mounts below a `**` are left out.
     *
     * The names are the scripts' choice. They never lead out of the folder they are put in; on Windows,
     * look at them before you do so.
     *
     * @example
     * ```js
     * const { acquire, shutdown } = require('scientist-pool');
     *
     * const container = await acquire();
     * try {
     *   await container.writeFiles({ 'out/a.csv': '1,2', 'out/deep/b.csv': '3', 'c.txt': '' });
     *   const tables = await container.readFiles('out/**', { encoding: 'utf8', maxFiles: 100 });
     *   for (const [path, text] of Object.entries(tables)) console.log(path, text);
     * } finally {
     *   await container.destroy();
     * }
     * await shutdown();
     * ```
     *
     * @param glob A pattern, or several; a file that more than one matches is there once.
     * @throws {PoolError} `FILE_LIMIT`: more than `maxFiles` match, they have more than `maxBytes`
     *   together, or there are more than 100 000 names to look at; `FILE_ERROR` with the `path` of the
     *   folder or the file that can't be read; else as {@link readFile}.
     */
    readFiles<E extends Encoding = 'buffer'>(
      glob: string | readonly string[],
      options?: ReadFilesOptions<E>,
    ): Promise<Record<string, Output<E>>>;

    /**
     * Kills and removes the container; resolves when the engine confirms that it is gone. Idempotent,
     * and concurrent calls share one removal; one that is gone already is success. An execute under way
     * rejects with `CONTAINER_TERMINATED`. After a failure, another call tries again.
     *
     * @throws {PoolError} `ENGINE_UNAVAILABLE`, `ENGINE_ERROR`.
     */
    destroy(): Promise<void>;

    /** The same as `destroy()`, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
  }

  /**
   * A call that was begun by {@link Container.spawn}: what it reads and writes as Node streams, and its
   * end. It keeps Node alive until it has ended. Iterating over it gives the {@link lines} of its stdout.
   */
  export interface Child<Stdin extends Writable | null = Writable> {
    /**
     * What a command reads; `null` for a script. A command that does not read holds writes back. When it
     * ends, the stream is destroyed, and a write under way fails with `EPIPE`.
     */
    readonly stdin: Stdin;

    /**
     * What it writes. Who does not read holds it back, by way of the stream's buffer and 128 KiB on the way
     * for both streams together: they share one connection, so one that is full holds the other back, too.
     * `resume()` or `destroy()` what you don't want to read.
     *
     * If it ends early (destroyed, left in the middle of a loop), what comes is discarded, and the process
     * goes on. Where {@link exit} rejects, the stream is destroyed with the same error. Nobody has to
     * listen for that: it is never an uncaught exception.
     */
    readonly stdout: Readable;
    /** The same for stderr. */
    readonly stderr: Readable;

    /**
     * How it ended, as {@link Container.execute} has it: rejects with the same, resolves with the same but
     * without the output. It may do so before all output has been read. A rejection that nobody looks at
     * does no harm.
     */
    readonly exit: Promise<ExitResult>;

    /**
     * Ends the call, and its container with it: there is no surer way. {@link exit} resolves with the
     * reason `signal` and `'SIGKILL'`, whichever was given; none can be delivered to the process alone.
     *
     * @returns Whether it still ran.
     * @throws {PoolError} `INVALID_ARGUMENT`: a signal that does not mean an end.
     */
    kill(signal?: 'SIGKILL' | 'SIGTERM' | 'SIGINT' | 'SIGQUIT'): boolean;

    /**
     * The lines of a stream, in UTF-8, without their ends (`\n` or `\r\n`). Leaving the loop early destroys
     * the stream.
     *
     * @throws {PoolError} `INVALID_ARGUMENT`.
     */
    lines(options?: LinesOptions): AsyncGenerator<string, void, void>;
    /** {@link lines} of stdout. */
    [Symbol.asyncIterator](): AsyncGenerator<string, void, void>;

    /** `kill()`, and waits for its end: for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
  }

  /** Every error of this package but the reasons of your own signals and callbacks. */
  export class PoolError extends Error {
    constructor(code: PoolErrorCode, message: string, details?: PoolErrorDetails);
    readonly name: 'PoolError';
    /** Stable; made for `switch`. */
    readonly code: PoolErrorCode;
    /** The image it is about. */
    readonly image?: string | undefined;
    /** The container it is about. */
    readonly containerId?: string | undefined;
    /** The deadline that passed, in ms. */
    readonly timeout?: number | undefined;
    /** The engine's HTTP status. */
    readonly statusCode?: number | undefined;
    /** The file in the container. */
    readonly path?: string | undefined;
    /** What the system said of it, by name: `'ENOSPC'`. */
    readonly errno?: string | undefined;
    /** Of an `execute` or a `run` whose script has come to its end nevertheless: what it came to, in bytes. */
    readonly result?: ExecuteResult<'buffer'> | undefined;
  }

  /** What an error may carry beside its code and its message. */
  export interface PoolErrorDetails {
    image?: string | undefined;
    containerId?: string | undefined;
    timeout?: number | undefined;
    statusCode?: number | undefined;
    path?: string | undefined;
    errno?: string | undefined;
    result?: ExecuteResult<'buffer'> | undefined;
    cause?: unknown;
  }

  /**
   * - `INVALID_ARGUMENT`: a wrong option, environment variable or argument, named in the message.
   * - `ENGINE_UNAVAILABLE`: the container engine can't be reached.
   * - `ENGINE_ERROR`: the engine answered with an error (`statusCode`).
   * - `IMAGE_NOT_FOUND`, `IMAGE_PULL_FAILED`: the image (`image`) is not there, or could not be had.
   * - `ACQUIRE_TIMEOUT`: no container within `timeout` ms.
   * - `POOL_EXHAUSTED`: `maxWaiting` callers are in line already.
   * - `POOL_CLOSED`: the pool is shut down; `initialize()` opens it again.
   * - `CONTAINER_TERMINATED`: the container was destroyed: by its holder, a timeout, or a shutdown.
   * - `CONTAINER_LOST`: it ended, or its connection broke, without anybody here asking for it.
   * - `CONTAINER_BUSY`: another call or session has the container's interpreter.
   * - `SESSION_ENDED`: a session's interpreter has ended, or was closed.
   * - `FILE_NOT_FOUND`: there is no such file (`path`) in the container.
   * - `FILE_LIMIT`: more files, or more bytes of them, than the call allows.
   * - `FILE_ERROR`: a file (`path`) could not be written or read (`errno`).
   * - `BINDING_UNAVAILABLE`: the native part of this package could not be loaded (it is not there, is
   *   damaged, of another version or for another machine, or may not be loaded), or has no threads to run
   *   on. The message says which.
   * - `INTERNAL_ERROR`: a fault of this package.
   */
  export type PoolErrorCode =
    | 'INVALID_ARGUMENT'
    | 'ENGINE_UNAVAILABLE'
    | 'ENGINE_ERROR'
    | 'IMAGE_NOT_FOUND'
    | 'IMAGE_PULL_FAILED'
    | 'ACQUIRE_TIMEOUT'
    | 'POOL_EXHAUSTED'
    | 'POOL_CLOSED'
    | 'CONTAINER_TERMINATED'
    | 'CONTAINER_LOST'
    | 'CONTAINER_BUSY'
    | 'SESSION_ENDED'
    | 'FILE_NOT_FOUND'
    | 'FILE_LIMIT'
    | 'FILE_ERROR'
    | 'BINDING_UNAVAILABLE'
    | 'INTERNAL_ERROR';

  /** A number of bytes, or text as docker spells it: `'128m'`, `'1.5g'`, `'64KiB'` (units of 1024). */
  export type Bytes = number | `${number}${string}`;

  /** How many warm containers are kept READY, as demand calls for. */
  export interface PoolSizeRange {
    /** When nobody calls. 0 to 10 000. */
    min: number;
    /** However many call. From `min` to 10 000, and not more than the option `max` of the pool. */
    max: number;
  }

  /**
   * The options of a pool. Each is taken from here, else from its environment variable (one that is
   * empty counts as not set), else it is the default. `null` is an error where it isn't documented.
   *
   * Times are whole milliseconds, at most 2 147 483 647. Where 0 means no limit, `Infinity` does too.
   */
  export interface PoolOptions {
    /**
     * How many warm containers are kept READY, 0 to 10 000: a number, or a range in which it follows
     * demand (docs/demand.md says how). `CONTAINER_POOL_SIZE`: `2`, or `2-20`. @defaultValue 2
     */
    poolSize?: number | PoolSizeRange | undefined;
    /**
     * The most containers in all: warm, leased, starting and ending. `Infinity`: no limit. Pools that don't
     * give it share the engine's memory, by the `memory` of their containers: a caller for whom there is no
     * room waits in line, and warm containers of other pools give way to it. One that gives it is held to it
     * alone, and its containers count for the others.
     * `CONTAINER_POOL_MAX`. A default `poolSize` gives way to it; a greater one is an error.
     * @defaultValue what three quarters of the engine's memory allow
     */
    max?: number | undefined;
    /**
     * The most callers in line at `max`; the next gets `POOL_EXHAUSTED`. 0: nobody waits.
     * @defaultValue Infinity
     */
    maxWaiting?: number | undefined;
    /** The longest `acquire` waits, ms; 0: without end. @defaultValue 30 000 */
    acquireTimeout?: number | undefined;
    /** The longest one container may take until it is ready, ms, from 1. @defaultValue 60 000 */
    createTimeout?: number | undefined;
    /** The longest a call runs unless it says otherwise (`timeout`), ms; 0: no limit. @defaultValue 600 000 */
    execTimeout?: number | undefined;
    /**
     * The CPU time a container may use during a call unless the call says otherwise (`cpuTime`), ms; 0: no
     * limit.
     * @defaultValue 0
     */
    cpuTime?: number | undefined;
    /**
     * Bytes kept of each stream of a call unless it says otherwise; `Infinity`: no limit.
     * @defaultValue 10 MiB
     */
    maxOutputBytes?: Bytes | undefined;
    /** A warm container older than this is replaced, ms; 0: never. @defaultValue 3 600 000 */
    maxLifetime?: number | undefined;
    /** A warm container unused for longer than this is replaced, ms; 0: never. @defaultValue 0 */
    maxIdle?: number | undefined;
    /**
     * A container held by a caller of `acquire` for longer than this is reported once, with where it was
     * acquired, ms; 0: never. See the event `leak`. @defaultValue 900 000
     */
    leakTimeout?: number | undefined;
    /**
     * The most containers of this pool that are started side by side, 1 to 64. Pools on one engine start as
     * many together as the one with the most may; those that callers wait for go before refills.
     * @defaultValue 3
     */
    createConcurrency?: number | undefined;
    /** The same of removals. While a caller waits for a start there are at most 2. @defaultValue 4 */
    destroyConcurrency?: number | undefined;

    /** An image reference, `[host[:port]/]name[:tag][@digest]`. `CONTAINER_POOL_IMAGE`. @defaultValue 'python:3.9-slim' */
    image?: string | undefined;
    /** When `initialize` pulls the image. @defaultValue 'missing' */
    pull?: 'missing' | 'always' | 'never' | undefined;
    /** The longest a pull may take, ms, from 1. @defaultValue 600 000 */
    pullTimeout?: number | undefined;
    /** Memory of a container, 6 MiB at least. `CONTAINER_MEMORY`. @defaultValue 128 MiB */
    memory?: Bytes | undefined;
    /** Swap on top of `memory`; `Infinity`: no limit. @defaultValue 0, as much as `memory` if legacy */
    swap?: Bytes | undefined;
    /** Processes and threads in a container; `Infinity`: no limit. `CONTAINER_PIDS_LIMIT`. @defaultValue 50 */
    pidsLimit?: number | undefined;
    /** Microseconds of CPU time in each `cpuPeriod`, from 1000; `Infinity`: no limit. `CONTAINER_CPU_QUOTA`. @defaultValue 50 000 */
    cpuQuota?: number | undefined;
    /** Microseconds, 1000 to 1 000 000. @defaultValue 100 000 */
    cpuPeriod?: number | undefined;

    /**
     * `'legacy'`: containers as the old service made them (the image's user, writable root, the engine's
     * default capabilities, no limits of `tmpfs`, `ulimits` and `shmSize`, the engine's log driver);
     * options given beside it still count. No network either way.
     * @defaultValue 'default'
     */
    hardening?: 'default' | 'legacy' | undefined;
    /**
     * `'none'`; or what scripts can reach by way of a proxy, in containers that have no network all the same;
     * or the name of one of the engine's networks: one that it does not have is refused by `initialize` and
     * `acquire`. The host's own and another container's are not offered.
     * @defaultValue 'none'
     */
    network?: string | NetworkRules | undefined;
    /**
     * Values that scripts use and do not have, by name of a variable. It holds a random placeholder, another one in
     * each container; on its way to the secret's hosts, by TLS and to no other, the value takes its place. Takes
     * `network.allow`.
     * @defaultValue {}
     */
    secrets?: Readonly<Record<string, Secret>> | undefined;
    /** `uid[:gid]` or a name; `null`: the image's own. @defaultValue '65534:65534', `null` if legacy */
    user?: string | null | undefined;
    /** @defaultValue true, `false` if legacy */
    readonlyRootfs?: boolean | undefined;
    /** @defaultValue true, `false` if legacy */
    noNewPrivileges?: boolean | undefined;
    /** Capabilities left to the container; all others are dropped. @defaultValue [] */
    capAdd?: readonly string[] | undefined;
    /**
     * Mount point → mount options, beside the default; `false` takes the default's away.
     * @defaultValue { '/tmp': 'rw,nosuid,nodev,exec,size=64m,mode=1777' }, none if legacy
     */
    tmpfs?: Readonly<Record<string, string | false>> | undefined;
    /** Files and folders of this machine that are shown in containers. @defaultValue [] */
    mounts?: readonly MountOptions[] | undefined;
    /** Size of `/dev/shm`. @defaultValue 16 MiB, the engine's if legacy */
    shmSize?: Bytes | undefined;
    /**
     * Limits by name, beside the default: one number for both, or soft and hard. `Infinity`: no limit.
     * `nofile` is at least 32 and `fsize` 64 KiB: the pool's own process in the container needs them.
     * @defaultValue { nofile: 1024, core: 0, fsize: 64 MiB }, none if legacy
     */
    ulimits?:
      | Readonly<Partial<Record<UlimitName, number | { soft: number; hard: number }>>>
      | undefined;
    /**
     * Which system calls are allowed. `'strict'`: what this package's own profile allows, which is never
     * more than any engine's default does; `'engine'`: what the engine's default allows; or a profile, as
     * an object or as JSON.
     * @defaultValue 'strict', 'engine' if legacy
     */
    seccomp?: 'strict' | 'engine' | object | string | undefined;
    /**
     * An OCI runtime. On Docker the engine's name of it: `'runsc'`, `'kata'`. On the engine `local` a program:
     * `'runsc'`, `'crun'`, `'runc'`, looked up in `PATH`, or the path of one.
     * @defaultValue the engine's
     */
    runtime?: string | undefined;
    /** Whether the engine keeps the containers' output in its log. @defaultValue false, `true` if legacy */
    log?: boolean | undefined;
    /** Labels for the containers, beside the pool's own (`scientist-pool.…`). @defaultValue {} */
    labels?: Readonly<Record<string, string>> | undefined;
    /**
     * Modules imported before a container counts as READY; importing them then costs a script nothing. What
     * they print as they are imported goes nowhere.
     * @defaultValue []
     */
    preload?: readonly string[] | undefined;
    /**
     * Packages that are installed on top of `image`, such as `'pandas'` or `'numpy==2.*'`: once, in a container that
     * reaches the index alone, into an image that later pools and processes find. `pullTimeout` bounds it, and the
     * event `pull` tells its steps.
     * @defaultValue []
     */
    packages?: readonly string[] | undefined;
    /** The same of a `requirements.txt`, by its path; hashes count. @defaultValue none */
    requirements?: string | undefined;
    /**
     * The index that packages come from, with `user:password@` where it wants a login.
     * @defaultValue `PIP_INDEX_URL`, else 'https://pypi.org/simple'
     */
    indexUrl?: string | undefined;
    /**
     * Whether wheels alone are taken. `false`: a package without one is built, by code of its own, in the container
     * that installs.
     * @defaultValue true
     */
    onlyBinary?: boolean | undefined;
    /**
     * On the engine `local`: whether the interpreters of containers are forked from one that is booted once for
     * all of them, which has `preload` imported. It makes a fresh container several times as fast; forks share
     * their address layout and hash seed. `false`: each container boots its own. Docker's always do.
     * @defaultValue true
     */
    template?: boolean | undefined;

    /**
     * Which engine, and where it is: a name, an address, or an object. Where Docker is and isn't given is
     * found as the docker CLI finds it: `DOCKER_HOST`, `DOCKER_CERT_PATH`, `DOCKER_TLS_VERIFY`, the current
     * context, the usual sockets.
     */
    engine?: string | EngineOptions | undefined;
    /** Of the engine `kubernetes` alone. */
    kubernetes?: KubernetesOptions | undefined;

    /**
     * On SIGTERM and SIGINT, shut down first and then let the signal do its work; a second one does it at
     * once. Where the program listens to the signal itself, how it ends stays the program's business.
     * @defaultValue false
     */
    handleSignals?: boolean | undefined;
  }

  /** What a call can reach of what its pool's containers can. */
  export interface NarrowerNetwork {
    /**
     * Hosts: `'api.github.com'`, `'*.example.org:8443'` (one label or more), `'10.0.0.7'`, `'[fd00::7]:443'`.
     * Without a port: 443 and 80.
     */
    allow: readonly string[];
    /** The same, of what is not allowed although `allow` has it. Without a port: every port. @defaultValue [] */
    deny?: readonly string[] | undefined;
  }

  /**
   * A file or folder of this machine that is shown in containers, without what is mounted below it. It takes an
   * engine on this machine, and the option `capAdd` without `SYS_ADMIN`.
   */
  export interface MountOptions {
    /**
     * Absolute, plain (no `..`), without symbolic links. Refused are `/`, what is in `/proc`, `/sys`, `/dev`, `/run`
     * and `/boot`, all of `/etc` or `/var`, a home folder as a whole, what holds the engine's socket, and what is
     * neither a folder nor a plain file.
     */
    source: string;
    /** Absolute, in the container; made if the image has no such place. Not in a `tmpfs`, nor in another mount. */
    target: string;
    /** `false`: scripts write with the rights that the option `user` has to those files. @defaultValue true */
    readOnly?: boolean | undefined;
  }

  /**
   * What scripts can reach: a proxy on their own loopback, which the usual variables name (`HTTPS_PROXY` …),
   * lets out what these rules allow. Names are resolved by this process. One that leads to an address that is
   * not of the public network is refused, unless `hosts` or `allow` names that address.
   */
  export interface NetworkRules extends NarrowerNetwork {
    /** Name → address, whatever the resolver says. @defaultValue {} */
    hosts?: Readonly<Record<string, string>> | undefined;
    /**
     * Whether a tunnel may hold what is no TLS, or TLS that does not say that it is meant for the tunnel's host
     * (no SNI, or an encrypted one): SSH, for one. @defaultValue false
     */
    opaque?: boolean | undefined;
    /**
     * Certificates in PEM that are trusted beside those of this machine: what a file holds, not its name. With it
     * containers get a file of all of them, and the variables that name one to clients (`SSL_CERT_FILE`,
     * `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `NODE_EXTRA_CA_CERTS` …).
     * @defaultValue null
     */
    ca?: string | Uint8Array | null | undefined;
    /**
     * The address of the DNS server that is asked for names, `'127.0.0.1:5353'`; without a port: 53. `null`: this
     * machine's resolver is.
     * @defaultValue null
     */
    resolver?: string | null | undefined;
    /** Of a container, at once; more wait. @defaultValue 64 */
    maxConnections?: number | undefined;
    /** Of a connection, to its host. @defaultValue Infinity */
    maxSentBytes?: Bytes | undefined;
    /** Of a connection, from its host. @defaultValue Infinity */
    maxReceivedBytes?: Bytes | undefined;
    /** Until a connection stands, ms. @defaultValue 10 000 */
    connectTimeout?: number | undefined;
    /** How long nothing may go through a connection, ms. @defaultValue 60 000 */
    idleTimeout?: number | undefined;
  }

  /** A value that scripts use and do not have. */
  export interface Secret {
    /** 8 bytes to 16 KiB. Its placeholder is as long. */
    value: string;
    /** Who gets it: entries as of `network.allow`, and within that. */
    hosts: readonly string[];
    /**
     * In which parts of a request it is put: the values of headers, basic authentication's too; the query, encoded as
     * a URL has it; the body.
     * @defaultValue ['header']
     */
    in?: readonly ('header' | 'query' | 'body')[] | undefined;
  }

  /** Connections of all containers of a pool. */
  export interface EgressCounts {
    /** To the proxies, at this moment. */
    open: number;
    allowed: number;
    refused: number;
    /** Bytes. */
    bytesSent: number;
    bytesReceived: number;
  }

  /** A connection that a script has made or tried to make by way of its proxy. */
  export interface Egress {
    host: string;
    port: number;
    allowed: boolean;
    /** The entry of `network.allow` that allowed it, or why it was not. */
    rule: string;
    /** Why one that was allowed did not come about, or was ended by an error or a limit. */
    error?: string;
    bytesSent: number;
    bytesReceived: number;
    /** ms. */
    duration: number;
    /** Names of the secrets whose values went to the host; absent if none did. */
    secrets?: string[];
    /** Names of the secrets whose placeholders were seen to go to the host as they are; absent if none were. */
    strayed?: string[];
  }

  /** The limits that can be set for the processes of a container, as `docker run --ulimit` names them. */
  export type UlimitName =
    | 'core'
    | 'cpu'
    | 'data'
    | 'fsize'
    | 'locks'
    | 'memlock'
    | 'msgqueue'
    | 'nice'
    | 'nofile'
    | 'nproc'
    | 'rss'
    | 'rtprio'
    | 'rttime'
    | 'sigpending'
    | 'stack';

  /**
   * - `docker`: Docker, and what speaks its API.
   * - `local`: the kernel of this machine, without a daemon. Linux only.
   * - `kubernetes`: the nodes of a cluster. Experimental: docs/kubernetes.md.
   */
  export type EngineKind = 'docker' | 'local' | 'kubernetes';

  /** Which engine, where it is, and how it is talked to. */
  export interface EngineOptions {
    /**
     * `'auto'`: Docker, if an address is given, by an option, `DOCKER_HOST` or a context, or if one of the
     * usual sockets answers; else this machine, where its kernel lets it. The first `initialize`, `acquire`
     * or `run` finds out, and the pool stays with what it found. `CONTAINER_ENGINE`. @defaultValue 'auto'
     */
    kind?: 'auto' | EngineKind | undefined;
    /** Of Docker: `unix:///path`, `npipe:////./pipe/name`, `tcp://host:port`, `http://…`, `https://…`. `DOCKER_HOST`. */
    host?: string | undefined;
    /** The folder with `ca.pem`, `cert.pem` and `key.pem`. `DOCKER_CERT_PATH`. */
    certPath?: string | undefined;
    /** Whether to use TLS and check the engine's certificate. `DOCKER_TLS_VERIFY`: set to anything, yes. */
    tlsVerify?: boolean | undefined;
    /** The longest the engine may take over one call, ms, from 1; pulls and creates have their own. @defaultValue 30 000 */
    timeout?: number | undefined;
  }

  /**
   * Which cluster, and what of its pods' fields a pool may set; others are refused. Everything else of a pod is
   * as closed as the pool makes it: docs/kubernetes.md.
   */
  export interface KubernetesOptions {
    /** A file. @defaultValue as kubectl finds it; where there is none, the cluster that this process runs in */
    kubeconfig?: string | null | undefined;
    /** One of the kubeconfig's contexts. @defaultValue its current one */
    context?: string | null | undefined;
    /** Where the pods are made. @defaultValue the context's; in a cluster that of this process's own pod */
    namespace?: string | null | undefined;
    /** The labels of nodes that may have the pods. @defaultValue \{\} */
    nodeSelector?: Record<string, string> | undefined;
    /** The taints of nodes that the pods do not mind, as the API has them. @defaultValue [] */
    tolerations?: KubernetesToleration[] | undefined;
    /** @defaultValue the cluster's */
    priorityClassName?: string | null | undefined;
    /** The cluster's name of gVisor's or Kata's runtime. @defaultValue the nodes' own */
    runtimeClassName?: string | null | undefined;
    /** Secrets of the namespace with registries' credentials. @defaultValue [] */
    imagePullSecrets?: string[] | undefined;
    /** Of the pods, to which its token is not given. @defaultValue the namespace's `default` */
    serviceAccount?: string | null | undefined;
    /**
     * A file below the nodes' folder of seccomp profiles, such as `scientist-pool.json`.
     * @defaultValue the default profile of the nodes' runtime
     */
    seccompProfile?: string | null | undefined;
    /** How long a pod lives at most, ms: the cluster's own last fence. @defaultValue 24 h */
    activeDeadline?: number | undefined;
  }

  /** A toleration, as the API has it. */
  export interface KubernetesToleration {
    key?: string | undefined;
    operator?: 'Exists' | 'Equal' | undefined;
    value?: string | undefined;
    effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' | undefined;
    tolerationSeconds?: number | undefined;
  }

  /**
   * What a container may do: every option that says so, complete and in its normal form (sizes in bytes,
   * `null`: the image's or the engine's own), and what of it is not kept.
   */
  export interface ContainerSecurity {
    readonly hardening: 'default' | 'legacy';
    readonly network: string | Readonly<NetworkRules>;
    readonly user: string | null;
    readonly readonlyRootfs: boolean;
    readonly noNewPrivileges: boolean;
    /** `null`: the engine's default set. */
    readonly capAdd: readonly string[] | null;
    readonly tmpfs: Readonly<Record<string, string | false>>;
    readonly mounts: readonly Readonly<Required<MountOptions>>[];
    readonly shmSize: number | null;
    /** Name → soft and hard. */
    readonly ulimits: Readonly<Record<string, readonly [number, number]>>;
    /** `'strict'`, `'engine'`, or the profile as JSON. */
    readonly seccomp: string;
    readonly runtime: string | null;
    readonly log: boolean;
    readonly memory: number;
    readonly swap: number | null;
    readonly pidsLimit: number;
    readonly cpuQuota: number;
    readonly cpuPeriod: number;
    /** Unless a call says otherwise; 0: no limit. */
    readonly cpuTime: number;
    /** What is not honoured of it: by the engine, or for want of something in the image (`shield`). */
    readonly unhonoured: readonly Unhonoured[];
  }

  /** A protection that the options ask for, or count on, and that is not given. */
  export interface Unhonoured {
    readonly name:
      | 'memory'
      | 'swap'
      | 'pids'
      | 'cpu'
      | 'seccomp'
      | 'apparmor'
      | 'network'
      | 'shield';
    /** The option that asks for it; `null`: none does, it is the engine's or the image's to give. */
    readonly option: string | null;
    /** What that means, and what to do about it. */
    readonly detail: string;
  }

  /** The options of an `acquire`. */
  export interface AcquireOptions {
    /** The longest to wait, ms; 0: without end. @defaultValue the pool's `acquireTimeout` */
    timeout?: number | undefined;
    /** Ends the wait and rejects with the signal's reason. */
    signal?: AbortSignal | undefined;
  }

  /** The options of a `shutdown`. */
  export interface ShutdownOptions {
    /** How long the holders of containers have until they are destroyed, ms; 0: no time. @defaultValue 5000 */
    grace?: number | undefined;
  }

  /** Environment variables. `undefined` is left out; a name with `=`, or a NUL anywhere, is an error. */
  export type Env = Readonly<Record<string, string | number | boolean | undefined>>;

  /** `'utf8'`: text; what is no UTF-8 becomes U+FFFD. `'buffer'`: the bytes as they are. */
  export type Encoding = 'utf8' | 'buffer';

  /** What output is in an encoding. */
  export type Output<E extends Encoding> = E extends 'buffer' ? Buffer : string;

  /** The options of a call. A timeout, an abort or exceeded output or CPU time ends the container. */
  export interface CallOptions<E extends Encoding = 'utf8'> {
    /** Wall clock, ms; 0: no limit. Its passing is a result with the reason `timeout`. @defaultValue the pool's `execTimeout` */
    timeout?: number | undefined;
    /**
     * CPU time of the container during the call, ms, all its processes together; 0: no limit. Its being
     * used up is a result with the reason `cpu`. The engine counts it, from its first answer on, and is asked
     * when it can be over at the earliest. `ENGINE_ERROR` where the engine has no control groups.
     * @defaultValue the pool's `cpuTime`
     */
    cpuTime?: number | undefined;
    /** Ends the container and rejects with the signal's reason, an already aborted one too. */
    signal?: AbortSignal | undefined;
    /**
     * Bytes of each stream; what goes beyond is cut off, and ends the call with the reason
     * `output_limit`. `Infinity`: no limit. Beyond 16 MiB output comes at 64 MiB a second at most, and
     * beyond 4 MiB at 16 while other calls of the process are under way: the engine copies every byte, and a
     * flood must not keep it from them.
     * @defaultValue the pool's `maxOutputBytes`; no limit with `collect: false`
     */
    maxOutputBytes?: Bytes | undefined;
    /**
     * The working directory. A script with one of its own has an interpreter started for it.
     * @defaultValue `/tmp`; the image's own if `user` is `null`
     */
    cwd?: string | undefined;
    /**
     * What it can reach, within its pool's `network`. Of calls beside one another in a container, each has what
     * all of them may. @defaultValue the pool's
     */
    network?: 'none' | NarrowerNetwork | undefined;
    /** Of the output, in the result and for the callbacks. @defaultValue 'utf8' */
    encoding?: E | undefined;
    /**
     * Whether white space around `stdout` and `stderr` is taken away, as Python's `str.strip()` does. Text only.
     * @defaultValue true for scripts, false for commands
     */
    trim?: boolean | undefined;
    /** Whether the result holds the output. `false`: it goes to the callbacks only. @defaultValue true */
    collect?: boolean | undefined;
    /**
     * Gets stdout as it comes, text in whole characters. The next chunk, and then the script, waits while
     * a promise it returned is pending. If it throws or rejects, the container is ended and the call rejects with that.
     */
    onStdout?: ((chunk: Output<E>) => unknown) | undefined;
    /** The same for stderr. */
    onStderr?: ((chunk: Output<E>) => unknown) | undefined;
  }

  /** The options of a script. */
  export interface ScriptOptions<E extends Encoding = 'utf8'> extends CallOptions<E> {
    /**
     * Whether the result has what the script shows, as `display`: what it gives to `display()`, its matplotlib
     * figures, and the value of its last expression.
     *
     * @example
     * ```js
     * const { run, shutdown } = require('scientist-pool');
     *
     * const { display } = await run('display({"a": 1})\n6 * 7', { display: true });
     * console.log(display); // [ { 'text/plain': "{'a': 1}" }, { 'text/plain': '42' } ]
     * await shutdown();
     * ```
     *
     * `CONTAINER_BUSY` beside another call or a session;
     * `INVALID_ARGUMENT` with a variable that only counts as an interpreter starts. @defaultValue false
     */
    display?: boolean | undefined;
    /**
     * Bytes of what is shown, of 256 MiB at most. A representation that is more than is left is left out, and
     * text cut off; `displayCut` says so. @defaultValue 10 MiB
     */
    maxDisplayBytes?: Bytes | undefined;
  }

  /** One thing that was shown: MIME type → data. Pictures, but for SVG, sound, films and PDF are bytes. */
  export interface MimeBundle {
    'text/plain'?: string;
    'text/html'?: string;
    'text/markdown'?: string;
    'text/latex'?: string;
    'image/svg+xml'?: string;
    'image/png'?: Buffer;
    'image/jpeg'?: Buffer;
    'application/json'?: unknown;
    /** Others, as the object's type names them: of `…+json` what it stands for. */
    [type: `${string}/${string}`]: unknown;
  }

  /** What is missing of what was shown. */
  export interface DisplayCut {
    /** Where it would be in `display`; `null`: behind all of it. */
    index: number | null;
    /** The MIME type; `null`: all that came from there on. */
    type: string | null;
    /** How many it had. */
    bytes: number | null;
  }

  /** The options of `Container.session`. */
  export interface SessionOptions {
    /** Added to the container's environment. None that only counts as an interpreter starts (`PYTHON…`, `LANG`). */
    env?: Env | undefined;
    /** The working directory to begin with. @defaultValue `/tmp`; the image's own if `user` is `null` */
    cwd?: string | undefined;
    /**
     * How long a run may take to let go of what it is interrupted in, ms, and the interpreter to end when it is
     * closed. @defaultValue 2000
     */
    grace?: number | undefined;
  }

  /** The options of a session's run. */
  export interface SessionRunOptions<E extends Encoding = 'utf8'>
    extends Omit<ScriptOptions<E>, 'cwd' | 'network'> {}

  /** What a session's run came to. */
  export interface SessionResult<E extends Encoding = 'utf8'> extends ExecuteResult<E> {
    /** Whether the session has ended with it. */
    sessionEnded: boolean;
  }

  /** An interpreter that stays in a container for many runs. */
  export interface Session {
    /** Whether it has ended: by `close()`, in a run, or with its container. */
    readonly ended: boolean;

    /**
     * Runs Python source in it, behind the runs that were asked for before. Names stay from run to run. Whatever
     * the code does is a result: an exception has exit code 1 and its traceback on stderr, `sys.exit(n)` exit
     * code n, and the session goes on.
     *
     * Past its `timeout`, CPU time or `maxOutputBytes`, or aborted, or when a callback throws, a run is interrupted
     * as by Ctrl-C, with what it has started (exit code 130). What has not let go of it after `grace` ms ends with
     * its container, and so does the session. The time begins with the run's turn.
     *
     * @example
     * ```js
     * const { acquire, shutdown } = require('scientist-pool');
     *
     * const container = await acquire();
     * try {
     *   const session = await container.session();
     *   await session.run('import math\nx = 20');
     *   const { stdout } = await session.run('print(math.factorial(x))');
     *   console.log(stdout); // 2432902008176640000
     * } finally {
     *   await container.destroy();
     * }
     * await shutdown();
     * ```
     *
     * @throws {PoolError} `INVALID_ARGUMENT`; `SESSION_ENDED`; `CONTAINER_TERMINATED`, `CONTAINER_LOST`. With
     *   `signal`: the signal's reason.
     */
    run<E extends Encoding = 'utf8'>(
      code: string | Uint8Array,
      options?: SessionRunOptions<E>,
    ): Promise<SessionResult<E>>;

    /**
     * Ends the interpreter as a script ends, behind the runs that were asked for; the container goes on. One that
     * takes longer than `grace` ends with its container. Idempotent.
     */
    close(): Promise<void>;

    /** `close()` */
    [Symbol.asyncDispose](): Promise<void>;
  }

  /** The options of a command. */
  export interface CommandOptions<E extends Encoding = 'utf8'> extends CallOptions<E> {
    /** Added to the container's environment. */
    env?: Env | undefined;
    /** What the command reads from its stdin, of 1 GiB at most. @defaultValue nothing */
    stdin?: string | Uint8Array | undefined;
    /** Docker's spelling of `env`. */
    Env?: readonly `${string}=${string}`[] | undefined;
    /** Docker's spelling of `cwd`. */
    WorkingDir?: string | undefined;
    /** Keys of Docker's exec API that ask for what happens anyway are let pass. */
    AttachStdin?: boolean | undefined;
    AttachStdout?: true | undefined;
    AttachStderr?: true | undefined;
    Detach?: false | undefined;
    Privileged?: false | undefined;
    Tty?: false | undefined;
  }

  /** What a file is to hold: text (as UTF-8), bytes, or a stream of these, such as a `Readable`. */
  export type FileContent = string | Uint8Array | AsyncIterable<string | Uint8Array>;

  /** Path → content, with permissions if they are not to be 0o644. */
  export type Files = Readonly<
    Record<string, FileContent | { readonly data: FileContent; readonly mode?: number | undefined }>
  >;

  /** The options of calls about files. A timeout or an abort ends the container. */
  export interface FileOptions {
    /** Wall clock, ms, a stream's own time included; 0: no limit. @defaultValue the pool's `execTimeout` */
    timeout?: number | undefined;
    /** Ends the container and rejects with the signal's reason, an already aborted one too. */
    signal?: AbortSignal | undefined;
  }

  /** The options of a `readFile`. */
  export interface ReadFileOptions<E extends Encoding = 'buffer'> extends FileOptions {
    /** The most bytes, of all files together; more is `FILE_LIMIT`. @defaultValue 64 MiB */
    maxBytes?: Bytes | undefined;
    /** What the contents are given as: text, or bytes as they are. @defaultValue 'buffer' */
    encoding?: E | undefined;
  }

  /** The options of a `readFiles`. */
  export interface ReadFilesOptions<E extends Encoding = 'buffer'> extends ReadFileOptions<E> {
    /** The most files; more is `FILE_LIMIT`. @defaultValue 1000 */
    maxFiles?: number | undefined;
  }

  /** For `run`: the files to be in its result. */
  export interface CollectFiles {
    /** One pattern or several, as {@link Container.readFiles} takes them. */
    collect: string | readonly string[];
  }

  /** What `run` collected. */
  export interface CollectedFiles {
    /**
     * Path → content, within the default limits of {@link Container.readFiles}. Empty where the call ended
     * the container: by its timeout, its output or its CPU time.
     */
    files: Record<string, Buffer>;
    /**
     * Why there are not more of them; empty if all that match are there. What a call has come to stands,
     * whatever becomes of its files.
     */
    fileErrors: FileError[];
  }

  /** Why something that a pattern of `collect` matches, or may match, is not among the files. */
  export interface FileError {
    /** The file or the folder; `null`: all of them, or those that no other entry is about. */
    path: string | null;
    /**
     * - `FILE_ERROR`: it could not be read.
     * - `FILE_NOT_FOUND`: it went away before it was read.
     * - `FILE_LIMIT`: there are more files, or more bytes, than may be collected; of the files those that
     *   come first by name are there, of the bytes those that fit.
     * - Else what became of the container, or of the engine, before all was read.
     */
    code: PoolErrorCode;
    /** What the system said of it, by name: `'EACCES'`. */
    errno: string | null;
    message: string;
  }

  /** The options of `spawn`. */
  export interface SpawnOptions
    extends Pick<CallOptions, 'timeout' | 'cpuTime' | 'signal' | 'cwd' | 'network'> {
    /**
     * Bytes of each stream; what goes beyond is cut off, and ends the call with the reason
     * `output_limit`.
     * @defaultValue no limit
     */
    maxOutputBytes?: Bytes | undefined;
    /** Of what `stdout` and `stderr` give: `'utf8'` is `setEncoding('utf8')`. @defaultValue 'buffer' */
    encoding?: Encoding | undefined;
  }

  /** The options of `spawn` for a command. */
  export interface SpawnCommandOptions extends SpawnOptions {
    /** Added to the container's environment. */
    env?: Env | undefined;
  }

  /** The options of `lines`. */
  export interface LinesOptions {
    /** Which stream. @defaultValue 'stdout' */
    from?: 'stdout' | 'stderr' | undefined;
    /**
     * A line of more characters comes in pieces of no more than that, counted as a string's `length` does. None
     * is cut in two, so that with 1 some pieces have 2.
     * @defaultValue 1 048 576
     */
    maxLength?: number | undefined;
  }

  interface RunOptions {
    /** Written before the call, as {@link Container.writeFiles} does it. */
    files?: Files | undefined;
    /** The longest to wait for a container, ms; 0: without end. @defaultValue the pool's `acquireTimeout` */
    acquireTimeout?: number | undefined;
  }

  /** The options of a `run` of a script. */
  export interface RunScriptOptions<E extends Encoding = 'utf8'>
    extends ScriptOptions<E>,
      RunOptions {
    /** Added to the container's environment. */
    env?: Env | undefined;
    /** What the script finds in `sys.argv[1:]`. */
    args?: readonly (string | number)[] | undefined;
  }

  /** The options of a `run` of a command. */
  export interface RunCommandOptions<E extends Encoding = 'utf8'>
    extends CommandOptions<E>,
      RunOptions {}

  /**
   * Why a call ended: by itself (`exit`), by a signal, by its `timeout`, for want of memory (`oom`), by
   * `maxOutputBytes` (`output_limit`), by its `cpuTime` or the limit of that name (`cpu`), by the size of
   * a file it wrote (`file_size`), or nobody knows how (`lost`).
   */
  export type EndReason =
    | 'exit'
    | 'signal'
    | 'timeout'
    | 'oom'
    | 'output_limit'
    | 'cpu'
    | 'file_size'
    | 'lost';

  /** What a call came to. Whatever the script or command does is a result, and no exception. */
  export interface ExecuteResult<E extends Encoding = 'utf8'> {
    stdout: Output<E>;
    stderr: Output<E>;
    /** 128 + n for a process killed by signal n. */
    exitCode: number;
    /** From the call to its end, in whole ms. */
    duration: number;
    reason: EndReason;
    /** The signal that killed it, such as `'SIGKILL'`. */
    signal: string | null;
    /** Whether output was cut off at `maxOutputBytes`. */
    truncated: boolean;
    /** Bytes the stream had, those cut off or not collected too. */
    stdoutBytes: number;
    stderrBytes: number;
    /**
     * `'warm'`: by what was running in the container already: for a script an interpreter. `'cold'`: by an
     * interpreter started for it (`cwd`, a variable that counts at its start only, a call beside another),
     * or through the engine's exec.
     */
    path: 'warm' | 'cold';
    timings: Timings;
    /** What was shown, the value of the last expression last. Only with `display: true`. */
    display?: MimeBundle[];
    /** What is missing of it. */
    displayCut?: DisplayCut[];
    /**
     * What went out of the container during the call, and what was not let out; 1000 at most. Only with
     * `network.allow`. Connections that are still open are not among them.
     */
    egress?: Egress[];
  }

  /** How a spawned call ended. */
  export type ExitResult = Omit<ExecuteResult, 'stdout' | 'stderr' | 'display' | 'displayCut'>;

  /** Where a call's time went, in ms. */
  export interface Timings {
    /** In line: for `run`, for a container. */
    waiting: number;
    /** Until the job was on its way into the container. */
    dispatch: number;
    /** From then until the first byte of output; `null`: there was none. */
    firstByte: number | null;
    /** From dispatch to the end. */
    run: number;
    /** All of it. */
    total: number;
  }

  /**
   * The events of a pool, each with what its listeners get. Times in ms. They have no caller: whoever made the
   * pool, listeners run in no one's asynchronous context.
   */
  export interface PoolEvents {
    /** One step of a pull, in the engine's words; bytes done and in all, of this layer in this step. */
    pull: [
      progress: {
        image: string;
        layer: string | null;
        status: string;
        current: number | null;
        total: number | null;
      },
    ];
    /** The engine has answered, and the containers (`swept`) that dead processes left were removed. */
    engine: [detail: { engine: EngineInfo; swept: string[] }];
    /** A connection through the proxy of a container has ended, or was refused; of each the first 1000. */
    egress: [detail: { id: string } & Egress];
    /** A container is ready. */
    created: [detail: { id: string; ms: number }];
    /** A caller got a container: a warm one, or one made on demand. */
    acquired: [detail: { id: string; warm: boolean; waitedMs: number }];
    /** The engine confirmed that a container is gone. */
    destroyed: [detail: { id: string; ms: number }];
    /** A container ended although nobody here asked for it. */
    lost: [detail: { id: string }];
    /** A warm container was too old, and is replaced. */
    expired: [detail: { id: string }];
    /** The pool as a whole stands differently now. */
    state: [detail: { state: PoolState }];
    /** The engine stands differently now. Every pool on it is told. */
    engineState: [detail: EngineHealth];
    /** What interpreters are forked from stands differently now. */
    template: [detail: TemplateStats];
    /**
     * A container has been held for longer than `leakTimeout`; `stack` are the frames of its acquire.
     * Without a listener it is a warning of the process (`CONTAINER_LEAK`).
     */
    leak: [detail: { id: string; heldMs: number; stack: string }];
    /** The pool reached its target. */
    ready: [detail: { size: number }];
    /**
     * Something failed in the background; the pool goes on. The same failure again and again is one event.
     * Without a listener it only shows in `stats().totals.errors`: it never becomes an uncaught exception.
     */
    error: [error: PoolError, detail: { during: 'prepare' | 'create' | 'destroy' }];
  }

  /** What the engine says of itself. */
  export interface EngineInfo {
    kind: EngineKind;
    /** Where it was reached, as in `DOCKER_HOST`; of the engine `local`: `this machine`. */
    address: string;
    version: string;
    apiVersion: string;
    /** Bytes. */
    memory: number;
    cpus: number;
    /** What it warns of, in its own words. */
    warnings: string[];
    /** How it keeps its containers apart from its host, whatever the options say. */
    isolation: {
      /** The engine runs without root. */
      rootless: boolean;
      /** Root in a container is an ordinary user outside of it. */
      userNamespace: boolean;
      /** The engine's name of its own system call filter; `null`: it has none. */
      seccomp: string | null;
      apparmor: boolean;
      selinux: boolean;
      cgroupVersion: string | null;
      defaultRuntime: string | null;
    };
    /** The program that containers of the engine `local` run under, if `runtime` asks for one; else null. */
    runtime: { path: string; version: string } | null;
    /** What the engine `local` builds its fences of; `missing`: why this is not there, and the way out. */
    fences: { name: string; missing: string | null }[];
    /** Which of the protections asked for it does not give. */
    unhonoured: Unhonoured[];
    [detail: string]: unknown;
  }

  /** How an engine stands, as far as the calls made to it tell. */
  export interface EngineHealth {
    /**
     * - `healthy`: it does what it is asked for. Also before the first call.
     * - `degraded`: it answers, but the last create, start or removal failed on its side.
     * - `down`: it can't be reached, or does not answer. Calls fail at once; a probe with growing pauses
     *   finds out when it is back.
     */
    state: 'healthy' | 'degraded' | 'down';
    /** Since when, in ms since the epoch. */
    since: number;
    /** What went wrong; not there while it is healthy. */
    error?: PoolError | undefined;
  }

  /** How a pool stands; `degraded`: it could not make a container, and tries again with growing pauses. */
  export type PoolState = 'new' | 'healthy' | 'degraded' | 'closing' | 'closed';

  /** What is known of the times of an operation. */
  export interface Percentiles {
    count: number;
    /** ms */
    p50: number;
    p90: number;
    p99: number;
  }

  /** What all pools of the process on one engine take of it together. */
  export interface EngineBudget {
    /** Bytes there are for containers: three quarters of the engine's; `null` before it has told. */
    memory: number | null;
    /** Bytes of the containers there are, by their limits. */
    used: number;
    /** Starts under way. */
    starting: number;
    /** Removals under way. */
    removing: number;
    /** Containers that callers wait for, and whose start has to wait. */
    waiting: number;
  }

  /** How the interpreter stands that those of a pool's containers are forked from. */
  export interface TemplateStats {
    /**
     * - `off`: there is to be none.
     * - `none`: there is none. The next container has one made, unless the last ones were bad: `reason`.
     * - `starting`: it boots, and imports `preload`.
     * - `ready`: containers are forked from it.
     * - `refused`: there can be none.
     *
     * While it is not `ready`, each container boots an interpreter of its own.
     */
    state: 'off' | 'none' | 'starting' | 'ready' | 'refused';
    /** How many this one was asked for. */
    forks: number;
    /** Since when, in ms since the epoch. */
    since: number;
    /** Why there is none, or why the last one ended; `null`: nothing went wrong. */
    reason: string | null;
  }

  /** What a pool holds and has done, at one moment. */
  export interface PoolStats {
    /** READY for the next caller. */
    warm: number;
    creating: number;
    leased: number;
    /** Their removal is not confirmed yet. */
    destroying: number;
    /** Callers in line. */
    waiting: number;
    /** The target for `warm`, as of this moment. */
    poolSize: number;
    /** Within what it follows demand; `min` and `max` are equal where it is fixed. */
    poolSizeRange: PoolSizeRange;
    /** `null` while it isn't known: before the engine has told its memory. */
    max: number | null;
    state: PoolState;
    initializing: boolean;
    /** Calls by the result's `path`. */
    callsWarm: number;
    callsCold: number;
    /** What went through the proxies of containers since the pool was made; `null` without `network.allow`. */
    egress: EgressCounts | null;
    /** How the engine stands, and where it is; `auto` until it is found out which one it is. */
    engine: EngineHealth & {
      kind: 'auto' | EngineKind;
      address: string;
      budget: EngineBudget;
    };
    /** Of the engine `local`; `null` on others, and before it is found out which one it is. */
    template: TemplateStats | null;
    /** Since the pool was made. */
    totals: {
      created: number;
      acquiredWarm: number;
      acquiredOnDemand: number;
      destroyed: number;
      /** Ended although nobody here asked for it. */
      lost: number;
      /** Acquires that passed their deadline. */
      timeouts: number;
      errors: number;
      /** Warm ones replaced for their age. */
      expired: number;
      /** Made, or warm, when no longer needed, or given up for a caller of another pool. */
      surplus: number;
      /** Removals given up after many attempts; `shutdown()` tries once more. */
      abandoned: number;
      /** Faults of this package's native part that were caught. */
      panics: number;
      [count: string]: number;
    };
    /** Since the pool was made. */
    latency: {
      acquireWarm: Percentiles;
      acquireOnDemand: Percentiles;
      create: Percentiles;
      destroy: Percentiles;
      [operation: string]: Percentiles;
    };
  }

  /**
   * What the tracing channels tell, by name: `tracingChannel('scientist-pool:acquire')` of
   * `node:diagnostics_channel`, and so on. A channel without subscribers costs nothing. Scripts,
   * commands, arguments, environments, output and files are in none of them. `error` is what the call
   * rejected with: reasons of your own signals and what your own callbacks threw too; that of a file names
   * its path.
   *
   * `acquire`, `execute`, `files` and `destroy` are told as they happen, in the caller's asynchronous
   * context; `run` is an `acquire`, an `execute` and a `destroy`, with a `files` before and after the
   * `execute` if it has `files` and patterns in `collect`. `create` and `pull` go on in the background, in
   * no one's context, and are told when they are over, all steps at once: their times are in the message.
   */
  export interface TracingMessages {
    acquire: TracingMessage<{ containerId: string }> & {
      /** The longest it may wait, ms; 0: without end. */
      timeout: number;
    };
    execute: TracingMessage<Omit<ExecuteResult, 'stdout' | 'stderr' | 'display'>> & {
      containerId: string;
      /** `'session'`: a run of one. */
      kind: 'script' | 'command' | 'session';
      /** The longest it may take, ms; 0: without end. */
      timeout: number;
    };
    /** A `writeFiles`, `readFile` or `readFiles`; `bytes` are those of all its files together. */
    files: TracingMessage<{ files: number; bytes: number }> & {
      containerId: string;
      operation: 'writeFiles' | 'readFile' | 'readFiles';
      /** The longest it may take, ms; 0: without end. */
      timeout: number;
    };
    /** A `destroy()` of a container; those that share its removal are not told. */
    destroy: TracingMessage<undefined> & { containerId: string };
    create: TracingMessage<{ containerId: string }> & BackgroundTimes;
    /** From the engine's first word of it to the last. */
    pull: TracingMessage<Record<string, never>> & BackgroundTimes;
  }

  /** What the messages of all channels have. */
  export interface TracingMessage<Result> {
    /** As configured. */
    image: string;
    /** Once it has succeeded. */
    result?: Result | undefined;
    /** Once it has failed. */
    error?: unknown;
  }

  /** `null` where it failed and nothing is known. */
  export interface BackgroundTimes {
    /** ms since the epoch. */
    startTime: number | null;
    /** ms */
    duration: number | null;
  }
}

export = ContainerPoolManager;
