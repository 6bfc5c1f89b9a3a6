/// <reference types="node" />

import { Readable } from 'node:stream';

import ContainerPoolManager = require('../index.js');

/**
 * A container engine in this process that does what it is told, for the tests of programs that use
 * `scientist-pool`. The package under test is the real one, its native part included; only the engine
 * is not: no Docker, no image, no Python, and a container takes a few milliseconds.
 *
 * It speaks as much of Docker's API as this package uses, over a unix socket (on Windows a named pipe)
 * in a folder of its own. An idle engine does not keep Node alive.
 *
 * @example
 * ```js
 * const { FakeEngine } = require('scientist-pool/testing');
 * const ContainerPoolManager = require('scientist-pool');
 *
 * const engine = await FakeEngine.start();
 * engine.reply('import tool', { stdout: '{"success": true}' });
 * const pool = new ContainerPoolManager({ engine: engine.address });
 * const { stdout } = await pool.run('import tool; tool.main()');
 * await pool.shutdown();
 * await engine.assertEmpty();
 * await engine.close();
 * ```
 */
export class FakeEngine {
  private constructor();

  /** An engine that listens. */
  static start(options?: FakeEngineOptions): Promise<FakeEngine>;

  /** One that does not listen yet: its address is known, and nobody is there. See {@link listen}. */
  static absent(options?: FakeEngineOptions): FakeEngine;

  /** For the option `engine`, and for `DOCKER_HOST`. */
  readonly address: string;

  /** The names of the images it has. Pulling adds one. */
  readonly images: Set<string>;

  /** Bytes of memory that it says it has: the default of the option `max` comes from it. */
  memory: number;

  // ---- finding it ----

  /**
   * Has every pool that isn't told where its engine is find this one, by `DOCKER_HOST`, until
   * {@link close}. For code that makes its pool itself: call it before that happens.
   *
   * @param env Where the variables are. @defaultValue process.env
   */
  install(env?: Record<string, string | undefined>): this;

  // ---- what comes of scripts and commands ----

  /**
   * Says what scripts and commands come to. The first reply that matches and isn't used up counts; what
   * no reply takes goes to {@link run}.
   *
   * @param match A text that is part of the script, or of the command's words joined by spaces; a
   *   regular expression for it; or a function of the job.
   * @param outcome What it comes to, or a function of the job that gives it or a promise of it. What
   *   that function throws shows on the script's stderr, with exit code 1.
   * @param options `times`: for how many jobs. @defaultValue Infinity
   */
  reply(
    match: JobMatch,
    outcome: Outcome | OutcomeOf,
    options?: { times?: number | undefined },
  ): this;

  /** What a job comes to that no reply takes. @defaultValue `() => ({})`: exit code 0, no output */
  run: OutcomeOf;

  /**
   * What becomes of an installation of `packages` or `requirements`, or a promise of it. Like an engine's, an image has
   * them from then on: what was installed once is not again.
   *
   * @param requirements As pip is given them. @defaultValue `() => ({})`: they are installed
   */
  installation: (requirements: string[]) => Installation | Promise<Installation>;

  /** The requirements of every installation that was begun, in order. */
  readonly installs: string[][];

  /** Every script and command that was begun, in order, but for installations. */
  readonly calls: Job[];

  /**
   * Takes back all replies, faults, {@link run} and {@link installation}, and forgets {@link calls} and {@link installs}.
   * Containers and images stay.
   */
  reset(): this;

  // ---- faults ----

  /**
   * Has the engine refuse calls of one kind.
   *
   * @param options `status`: HTTP, @defaultValue 500; `message`: the engine's words; `times`: how many
   *   calls, @defaultValue Infinity
   */
  fail(
    operation: Operation,
    options?: {
      status?: number | undefined;
      message?: string | undefined;
      times?: number | undefined;
    },
  ): this;

  /** Has calls of one kind take `ms` milliseconds longer. `times`: how many. @defaultValue Infinity */
  delay(operation: Operation, ms: number, options?: { times?: number | undefined }): this;

  /** Keeps calls of one kind waiting. What it returns lets them, and all later ones, proceed. */
  hold(operation: Operation): () => void;

  /** Ends `fail` and `delay` for one kind of calls. */
  off(operation: Operation): this;

  /** Goes away: no socket, no connection, and its containers end. {@link listen} brings it back. */
  vanish(): Promise<void>;

  /** Begins to listen, for the first time or again. */
  listen(): Promise<void>;

  // ---- what is and what was ----

  /** The containers there are, oldest first. */
  readonly containers: FakeContainer[];

  /** Their ids. */
  readonly ids: string[];

  /** How many containers were made. */
  readonly made: number;

  /** The most containers there were at once. */
  readonly peak: number;

  /** How often the engine was asked for something. */
  count(operation: Operation): number;

  /**
   * Throws unless nobody holds a container of the pool: for `afterEach`. Warm containers may stay, and
   * what is on its way to its end has `within` ms to come to it. The error lists the containers and
   * what ran in them.
   *
   * @param options `within`: ms. @defaultValue 2000
   * @throws `AssertionError`
   */
  assertNoLeases(
    pool: Pick<ContainerPoolManager, 'stats' | 'pool'>,
    options?: { within?: number | undefined },
  ): Promise<void>;

  /**
   * Throws unless the engine has no container, within so many ms: for after `shutdown()`. The error
   * lists the containers and what ran in them.
   *
   * @param options `within`: ms. @defaultValue 2000
   * @throws `AssertionError`
   */
  assertEmpty(options?: { within?: number | undefined }): Promise<void>;

  /** Goes away for good, and takes back what {@link install} did. */
  close(): Promise<void>;
}

/** What an engine has from its beginning on. */
export interface FakeEngineOptions {
  /** The images it has. @defaultValue ['python:3.9-slim'] */
  images?: readonly string[] | undefined;
  /** Bytes of memory that it says it has. @defaultValue 64 GiB */
  memory?: number | undefined;
}

/** What the package asks of an engine. */
export type Operation =
  | 'ping'
  | 'info'
  | 'events'
  | 'inspectImage'
  | 'listImages'
  | 'removeImage'
  | 'inspectNetwork'
  | 'pull'
  | 'create'
  | 'list'
  | 'inspect'
  | 'attach'
  | 'start'
  | 'putArchive'
  | 'commit'
  | 'remove'
  | 'exec'
  | 'startExec'
  | 'inspectExec';

/** What a script or a command comes to. */
export interface Outcome {
  /** @defaultValue '' */
  stdout?: string | Uint8Array | undefined;
  /** @defaultValue '' */
  stderr?: string | Uint8Array | undefined;
  /** @defaultValue 0 */
  exitCode?: number | undefined;
  /** The signal that killed it, by name or number; the call's exit code is 128 + its number. */
  signal?: string | number | undefined;
  /**
   * How it ends, in the words of a result: `'oom'`; `'timeout'`: never, so that the call's `timeout`
   * ends it; `'lost'`: the container dies, and the call rejects with `CONTAINER_LOST`.
   * @defaultValue 'exit', or 'signal' if there is one
   */
  reason?: 'exit' | 'signal' | 'oom' | 'timeout' | 'lost' | undefined;
  /** ms until then. @defaultValue 0 */
  delay?: number | undefined;
  /** What it leaves in its working directory: path → content. @defaultValue none */
  files?: Readonly<Record<string, string | Uint8Array>> | undefined;
  /**
   * What it shows, if its call has `display: true`: MIME type → data, JSON as what it stands for.
   * @defaultValue none
   */
  display?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

/** What an installation of packages comes to. */
export interface Installation {
  /** Why it failed, as the error's message says it. @defaultValue it did not */
  failed?: string | undefined;
  /**
   * What is to blame: `'packages'`, which is `INVALID_ARGUMENT`, or the `'index'`, which is `IMAGE_PULL_FAILED`.
   * @defaultValue 'packages'
   */
  blame?: 'packages' | 'index' | undefined;
}

/** Gives what a job comes to. A promise that never settles is a job that never ends. */
export type OutcomeOf = (job: Job) => Outcome | Promise<Outcome>;

/** Which jobs are meant: those with this text in their script or command, that it matches, or of which it is true. */
export type JobMatch = string | RegExp | ((job: Job) => boolean);

/** A script or a command that was begun. */
export interface Job {
  /** The script's source; a command has none. */
  readonly script?: string | undefined;
  /** `true`: its call asked for what it shows. */
  readonly display?: boolean | undefined;
  /** `true`: it is a run of a session. Its `reason` `'timeout'` lets go of it when it is interrupted. */
  readonly session?: boolean | undefined;
  /** The script's arguments. */
  readonly args?: string[] | undefined;
  /** The command and its arguments; for a script that an interpreter was started for, `python3 - …`. */
  readonly argv?: string[] | undefined;
  /** The command's working directory; `''`: the container's. */
  readonly cwd?: string | undefined;
  /** What the command can read: the script, if an interpreter was started for it. */
  readonly stdin?: Buffer | undefined;
  /**
   * What is written to the stdin of a spawned command, as it comes; it has no `stdin` then. In an image
   * without Python it has: such a command begins when its stdin is complete.
   */
  readonly input?: Readable | undefined;
  /** The variables that the call added. */
  readonly env: Record<string, string>;
  readonly container: FakeContainer;
  /** `'supervisor'`: through the stream to the container. `'exec'`: beside another call, or without Python. */
  readonly path: 'supervisor' | 'exec';
  /** Writes output before the job's end. */
  write(stream: 'stdout' | 'stderr', data: string | Uint8Array): void;
}

/** A container of a fake engine. */
export interface FakeContainer {
  /** As `container.id` of the package has it. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What the engine was asked to make it from: the body of Docker's `ContainerCreate`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: 'created' | 'running' | 'gone';
  /** The files below its working directory, path → content. A test may change them. */
  readonly files: Map<string, string | Uint8Array>;
  /** Ends it from outside, as `docker kill` would: its pool finds it lost. */
  die(): void;
}
