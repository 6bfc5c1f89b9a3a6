'use strict';

const { Readable } = require('node:stream');

const { Fields } = require('./fields');
const { frame } = require('./frames');

/** The most output in one frame. */
const PIECE = 64 * 1024;
/** The kinds of frames that hold output. */
const OUTPUT = { stdout: '1', stderr: '2' };

/** A frame of the supervisor's, on its stdout; the head of `src/runner/supervisor.py` defines them. */
function tell(kind, payload = []) {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeUInt32LE(bytes.length, 1);
  return frame('stdout', Buffer.concat([head, bytes]));
}

/** What a job wrote. */
function output(outcome) {
  const pieces = [];
  for (const [stream, kind] of Object.entries(OUTPUT)) {
    const bytes = Buffer.from(outcome[stream] ?? '');
    for (let at = 0; at < bytes.length; at += PIECE) {
      pieces.push(tell(kind, bytes.subarray(at, at + PIECE)));
    }
  }
  return Buffer.concat(pieces);
}

/** What answers a job: its output, and how it ended; one that doesn't end has no last frame. */
function answerTo(outcome) {
  const { raw, reason, exitCode, signal } = outcome;
  const ends = {
    exit: () => tell('X', [exitCode]),
    signal: () => tell('S', [signal]),
    oom: () => tell('O', [signal]),
  };
  return Buffer.concat([raw, output(outcome), ends[reason]?.() ?? Buffer.alloc(0)]);
}

const command = (fields) => ({
  argv: fields.list(),
  env: fields.mapping(),
  cwd: fields.string(),
});

/** What a job's frame says by its mode; of files it is the helper's source. */
const META = {
  S: (fields) => ({ env: fields.mapping(), args: fields.list() }),
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

  /**
   * @param {(boot: { preload: string[], isBare: boolean }, answer: (outcome: { failed?: string }) => Buffer) => void} onBoot
   * @param {(job: object, answer: (outcome: object) => Buffer) => void} onJob
   * @param {(request: Buffer, answer: (stdout: Buffer) => Buffer) => void} onFiles
   * `answer` gives the bytes for the attached stream.
   */
  constructor(onBoot, onJob, onFiles) {
    this.#onBoot = onBoot;
    this.#onJob = onJob;
    this.#onFiles = onFiles;
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
    const perform = (input) => this.#onJob({ ...job, ...input }, answerTo);
    const begin = {
      S: () => whole((bytes) => perform({ script: bytes.toString() })),
      C: () => whole((bytes) => perform({ stdin: bytes })),
      P: () => piped((input) => perform({ input })),
      F: () =>
        whole((bytes) =>
          this.#onFiles(bytes, (stdout) => Buffer.concat([output({ stdout }), tell('X', [0])])),
        ),
    };
    this.#job = begin[mode]();
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
