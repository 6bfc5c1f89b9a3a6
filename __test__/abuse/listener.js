'use strict';

const { once } = require('node:events');
const net = require('node:net');
const { Readable } = require('node:stream');
const tls = require('node:tls');

const CANARY = 'canary-of-a-host';
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Length: ${CANARY.length}\r\n\r\n${CANARY}`;

/** A canary, once, to who has come to the end of a head. */
const afterHead = (text, isAnswered) => (!isAnswered && /\r?\n\r?\n/.test(text) ? ANSWER : '');

/** A host of this machine's loopback, which does with each connection what `take` says. */
class Host {
  #server;
  #lines = new Set();

  /** `options`: of TLS; without them it speaks none. */
  async listen(options, take) {
    const taken = (line) => {
      this.#lines.add(line);
      line.on('error', () => undefined);
      line.on('close', () => this.#lines.delete(line));
      take(line);
    };
    this.#server = options ? tls.createServer(options, taken) : net.createServer(taken);
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port() {
    return this.#server.address().port;
  }

  close() {
    this.#server.close();
    for (const line of this.#lines) line.destroy();
  }
}

/** A host that keeps the beginning of what each connection says. */
class Listener extends Host {
  /** Of each connection: its bytes, and how many there were. */
  heard = [];

  /** `answer`: what is said to who has said a text by now, and whether it was answered before. */
  static start(options, answer = afterHead) {
    const listener = new Listener();
    return listener.listen(options, (line) => listener.#take(line, answer));
  }

  #take(line, answer) {
    const own = { text: '', bytes: 0, isAnswered: false };
    this.heard.push(own);
    line.on('data', (data) => {
      own.bytes += data.length;
      if (own.text.length < 64 << 10) own.text += data.toString('latin1');
      const said = answer(own.text, own.isAnswered);
      if (said === '') return;
      own.isAnswered = true;
      line.write(said, 'latin1');
    });
  }
}

/** A host that talks without end to who connects, and hears nothing; or, if it `hears`, all, and says nothing. */
class Flood extends Host {
  static start(hears, options) {
    return new Flood().listen(options, (line) => {
      if (hears) line.resume();
      else Readable.from(Flood.#said()).pipe(line);
    });
  }

  static *#said() {
    const piece = Buffer.alloc(64 << 10);
    yield Buffer.from('HTTP/1.1 200 OK\r\n\r\n');
    for (;;) yield piece;
  }
}

module.exports = { CANARY, Flood, Listener };
