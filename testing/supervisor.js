'use strict';

const { Readable } = require('node:stream');

const { Fields } = require('./fields');
const { frame } = require('./frames');
const { Line, Runs } = require('./telling');

/** The most output in one frame. */
const PIECE = 64 * 1024;
/** The kinds of frames that hold output. */
const OUTPUT = { stdout: '1', stderr: '2' };
/** What the interpreter of a run that is interrupted says, and its exit code. */
const INTERRUPTED = { stderr: 'KeyboardInterrupt\n', exitCode: 130 };

/** A frame of the supervisor's, on its stdout; the head of `src/runner/supervisor.py` defines them. */
function tell(kind, payload = []) {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeUInt32LE(bytes.length, 1);
  return frame('stdout', Buffer.concat([head, bytes]));
}

/** Bytes of one kind, in as many frames as they take. */
function inPieces(kind, bytes) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += PIECE) {
    pieces.push(tell(kind, bytes.subarray(at, at + PIECE)));
  }
  return pieces;
}

/** What a job wrote. */
function output(outcome) {
  return Buffer.concat(
    Object.entries(OUTPUT).flatMap(([stream, kind]) =>
      inPieces(kind, Buffer.from(outcome[stream] ?? '')),
    ),
  );
}

const ENDS = {
  exit: ({ exitCode }) => tell('X', [exitCode]),
  signal: ({ signal }) => tell('S', [signal]),
  oom: ({ signal }) => tell('O', [signal]),
};

/**
 * What answers a job: its output, what is told on its `line`, and how it ended; one that doesn't end has no last
 * frame. `ends`: how a job ends that does not end its interpreter.
 */
function answerTo(outcome, line, ends = ENDS) {
  const { raw, reason } = outcome;
  const shown = line?.shown(outcome.display) ?? [];
  const end = ends[reason]?.(outcome) ?? Buffer.alloc(0);
  return Buffer.concat([raw, output(outcome), ...inPieces('3', Buffer.concat(shown)), end]);
}

const command = (fields) => ({
  argv: fields.list(),
  env: fields.mapping(),
  cwd: fields.string(),
});

/** What a job's frame says by its mode; of files it is the helper's source. */
const META = {
  S: (fields) => ({ env: fields.mapping(), args: fields.list() }),
  T: (fields) => ({ env: fields.mapping(), args: fields.list(), guide: fields.rest().toString() }),
  C: command,
  P: command,
  F: () => ({}),
};

/**
 * PID 1 of a container, at the level of its protocol: takes the boot and the jobs from stdin, and has
 * its container decide what comes of them.
 */
class Supervisor {
  #input = Buffer.alloc(0);
  #sourceRead = false;
  #job = null;
  #onBoot;
  #onJob;
  #onFiles;
  #onWord;

  /**
   * @param {(boot: { preload: string[], isBare: boolean }, answer: (outcome: { failed?: string }) => Buffer) => void} onBoot
   * @param {(job: object, answer: (outcome: object) => Buffer) => void} onJob
   * @param {(request: Buffer, answer: (stdout: Buffer) => Buffer) => void} onFiles
   * @param {(bytes: Buffer) => void} onWord what it says by itself
   * `answer` gives the bytes for the attached stream.
   */
  constructor(onBoot, onJob, onFiles, onWord) {
    this.#onBoot = onBoot;
    this.#onJob = onJob;
    this.#onFiles = onFiles;
    this.#onWord = onWord;
  }

  /** Takes the next bytes of stdin. */
  feed(chunk) {
    this.#input = Buffer.concat([this.#input, chunk]);
    if (!this.#sourceRead && !this.#readSource()) return;
    while (this.#input.length >= 5) {
      const end = 5 + this.#input.readUInt32LE(1);
      if (this.#input.length < end) return;
      const kind = String.fromCharCode(this.#input[0]);
      const payload = this.#input.subarray(5, end);
      this.#input = this.#input.subarray(end);
      this.#take(kind, payload);
    }
  }

  /** The supervisor's own source in two parts: eight digits of length for each, and the texts. */
  #readSource() {
    if (this.#input.length < 16) return false;
    const length = (at) => Number(this.#input.toString('latin1', at, at + 8));
    const end = 16 + length(0) + length(8);
    if (this.#input.length < end) return false;
    this.#input = this.#input.subarray(end);
    this.#sourceRead = true;
    return true;
  }

  #take(kind, payload) {
    if (kind === 'B') this.#boot(new Fields(payload));
    else if (kind === 'J') this.#begin(new Fields(payload));
    else if (kind === 'D') this.#job.take(payload);
    else if (kind === 'E') this.#job.end();
    else if (kind === 'I') this.#job.interrupt?.();
    else throw new Error(`the supervisor knows no frame of the kind ${JSON.stringify(kind)}`);
  }

  #boot(fields) {
    // Without the source of a spare: for one job alone.
    const isBare = fields.string() === '';
    const preload = fields.list();
    this.#onBoot({ preload, isBare }, ({ failed }) =>
      failed === undefined ? tell('R') : tell('F', failed),
    );
  }

  #begin(fields) {
    const mode = fields.bytes(1).toString();
    const job = META[mode](fields);
    const perform = (input) => this.#onJob({ ...job, ...input }, (outcome) => answerTo(outcome));
    const begin = {
      S: () => whole((bytes) => perform({ script: bytes.toString() })),
      T: () => this.#tellOf(job),
      C: () => whole((bytes) => perform({ stdin: bytes })),
      P: () => piped((input) => perform({ input })),
      F: () =>
        whole((bytes) =>
          this.#onFiles(bytes, (stdout) => Buffer.concat([output({ stdout }), tell('X', [0])])),
        ),
    };
    this.#job = begin[mode]();
  }

  /** A job whose interpreter tells what it shows: of one script, or of one run after another. */
  #tellOf({ guide, ...job }) {
    const line = new Line(guide);
    if (!line.stays) {
      return whole((bytes) => {
        const run = { ...job, script: bytes.toString(), display: true };
        this.#onJob(run, (outcome) => answerTo(outcome, line));
      });
    }
    const done = ({ exitCode }) => tell('3', line.done(exitCode));
    let running = null;
    const begin = (run) => {
      const own = {};
      running = own;
      this.#onJob({ ...job, ...run, session: true }, (outcome) => {
        // One that has been interrupted has its end.
        if (running !== own) return Buffer.alloc(0);
        if (outcome.reason !== 'timeout') running = null;
        return answerTo(outcome, line, { ...ENDS, exit: done });
      });
    };
    const runs = new Runs(begin);
    this.#onWord(done({ exitCode: 0 }));
    return {
      take: (piece) => runs.take(piece),
      end: () => this.#onWord(tell('X', [0])),
      interrupt: () => {
        if (running === null) return;
        running = null;
        this.#onWord(Buffer.concat([output(INTERRUPTED), done(INTERRUPTED)]));
      },
    };
  }
}

/** The stdin of a job that begins when it is complete. */
function whole(perform) {
  const pieces = [];
  return {
    take: (piece) => pieces.push(piece),
    end: () => perform(Buffer.concat(pieces)),
  };
}

/** The stdin of a job that begins at once, and reads it as it comes. */
function piped(perform) {
  const input = new Readable({ read() {} });
  perform(input);
  return {
    take: (piece) => input.push(Buffer.from(piece)),
    end: () => input.push(null),
  };
}

module.exports = { Supervisor, output };
