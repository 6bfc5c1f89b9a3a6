'use strict';

// What an interpreter tells beside its output; the heads of `src/runner/tell.py` and `converse.py` define it.

function little(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

function strings(list) {
  return Buffer.concat([
    little(list.length),
    ...list.flatMap((item) => [little(item.length), Buffer.from(item)]),
  ]);
}

/** Data of a bundle as a script's interpreter sends it. */
function encoded(type, value) {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Buffer.from(/json$/.test(type) ? JSON.stringify(value) : String(value));
}

/** An interpreter's line, by the source that it was sent. */
class Line {
  #secret;
  /** Whether it stays for many runs. */
  stays;

  constructor(guide) {
    const [, secret] = /^SECRET, CWD = bytes\.fromhex\('([0-9a-f]+)'\)/.exec(guide);
    this.#secret = Buffer.from(secret, 'hex');
    this.stays = guide.includes('__converse__');
  }

  /** The messages of what is shown. */
  shown(bundles) {
    return bundles.map((bundle) => {
      const pairs = Object.entries(bundle).flatMap(([type, data]) => [
        Buffer.from(type),
        encoded(type, data),
      ]);
      return this.#message('d', Buffer.concat([strings(pairs), strings([])]));
    });
  }

  /** That of a run's end. */
  done(exitCode) {
    return this.#message('e', Buffer.from([exitCode]));
  }

  #message(kind, payload) {
    return Buffer.concat([this.#secret, Buffer.from(kind), little(payload.length), payload]);
  }
}

/** The runs that come on the stdin of one that stays, wherever they are cut. */
class Runs {
  #bytes = Buffer.alloc(0);
  #onRun;

  /** @param {(run: { script: string, display: boolean }) => void} onRun */
  constructor(onRun) {
    this.#onRun = onRun;
  }

  take(piece) {
    this.#bytes = Buffer.concat([this.#bytes, piece]);
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUInt32LE();
      if (this.#bytes.length < end) return;
      const display = this.#bytes[4] === 1;
      const script = this.#bytes.toString('utf8', 9, end);
      this.#bytes = this.#bytes.subarray(end);
      this.#onRun({ script, display });
    }
  }
}

module.exports = { Line, Runs };
