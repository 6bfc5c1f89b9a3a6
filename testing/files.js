'use strict';

const { Fields } = require('./fields');

/** The most that a frame holds; as in `src/runner/files.py`. */
const CHUNK = 0xffff;
const MORE_PIECES = 0xffffffff;
const NOT_THERE = 'ENOENT\0No such file or directory';

function number(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function long(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Whether a command is a program of the package's own: a supervisor, the helper for files, a relay. */
function isOwn([program, isolated, bare, flag]) {
  return program === 'python3' && isolated === '-I' && bare === '-S' && flag === '-c';
}

/** Whether such a command is the relay of what a container connects to: it alone has arguments. */
function isRelay(argv) {
  return isOwn(argv) && argv.length > 5;
}

/** A failure of one request; `payload` as in `src/runner/files.py`. */
class Refusal {
  constructor(kind, place, words) {
    this.kind = kind;
    this.payload = Buffer.concat([number(place), Buffer.from(words)]);
  }
}

/**
 * What the helper for files does, on the files of a fake container: gives the answer to a request, for
 * stdout. The head of `src/runner/files.py` defines both.
 *
 * @param {Map<string, Buffer>} files path → content
 */
function serveFiles(request, files) {
  const fields = new Fields(request);
  const frames = [];
  const tell = (kind, payload) => {
    const head = Buffer.alloc(3);
    head.write(kind);
    head.writeUInt16LE(payload.length, 1);
    frames.push(head, payload);
  };
  try {
    const work = WORK[fields.bytes(1).toString()];
    tell('K', number(work(fields, files, tell)));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    tell(error.kind, error.payload);
  }
  return Buffer.concat(frames);
}

const WORK = {
  W(fields, files) {
    const count = fields.number();
    for (let place = 0; place < count; place += 1) {
      const path = fields.string();
      const part = path.replace(/[^/]*$/, fields.string());
      const offset = fields.long();
      const size = fields.long();
      const mode = fields.number();
      const before = offset === 0 ? Buffer.alloc(0) : files.get(part);
      const whole = Buffer.concat([before, fields.bytes(size)]);
      if (mode === MORE_PIECES) files.set(part, whole);
      else {
        files.delete(part);
        files.set(path, whole);
      }
    }
    return count;
  },

  X(fields, files) {
    files.delete(fields.string().replace(/[^/]*$/, fields.string()));
    return 0;
  },

  L(fields, files, tell) {
    fields.bytes(8);
    const found = new Set();
    for (let folders = fields.number(); folders > 0; folders -= 1) {
      const folder = fields.string();
      const depth = fields.number();
      fields.bytes(1);
      const prefix = folder === '' ? '' : `${folder}/`;
      for (const path of files.keys()) {
        const levels = path.slice(prefix.length).split('/').length;
        if (path.startsWith(prefix) && levels <= depth) found.add(path);
      }
    }
    for (const path of found) tell('P', Buffer.from(path));
    return found.size;
  },

  R(fields, files, tell) {
    let room = fields.long();
    const lenient = fields.bytes(1)[0] === 1;
    const paths = fields.list();
    let found = 0;
    paths.forEach((path, place) => {
      const content = files.get(path);
      if (content === undefined) {
        if (lenient) return;
        throw new Refusal('E', place, NOT_THERE);
      }
      const data = Buffer.from(content);
      if (data.length > room) throw new Refusal('M', place, 'b');
      room -= data.length;
      found += 1;
      tell('P', number(place));
      for (let at = 0; at < data.length; at += CHUNK) tell('D', data.subarray(at, at + CHUNK));
      tell('Z', long(data.length));
    });
    return found;
  },
};

module.exports = { isOwn, isRelay, serveFiles };
