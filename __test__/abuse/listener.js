'use strict';

const { once } = require('node:events');
const net = require('node:net');
const { Readable } = require('node:stream');
const tls = require('node:tls');

const CANARY = 'canary-of-a-host';
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Length: ${CANARY.length}\r\n\r\n${CANARY}`;

/** A canary, once, to who has come to the end of a head. */
const afterHead = (text, isAnswered) => (!isAnswered && /\r?\n\r?\n/.test(text) ? ANSWER : '');

/** A host that keeps the beginning of what each connection says. */
class Listener {
  #server;
  #answer;
  #lines = new Set();
  /** Of each connection: its bytes, and how many there were. */
  heard = [];

  /** `answer`: what is said to who has said a text by now, and whether it was answered before. */
  static async start(options, answer = afterHead) {
    const listener = new Listener();
    listener.#answer = answer;
    const take = (line) => listener.#take(line);
    listener.#server = options ? tls.createServer(options, take) : net.createServer(take);
    listener.#server.listen(0, '127.0.0.1');
    await once(listener.#server, 'listening');
    return listener;
  }

  get port() {
    return this.#server.address().port;
  }

  #take(line) {
    const own = { text: '', bytes: 0, isAnswered: false };
    this.heard.push(own);
    this.#lines.add(line);
    line.on('error', () => undefined);
    line.on('close', () => this.#lines.delete(line));
    line.on('data', (data) => {
      own.bytes += data.length;
      if (own.text.length < 64 << 10) own.text += data.toString('latin1');
      const said = this.#answer(own.text, own.isAnswered);
      if (said === '') return;
      own.isAnswered = true;
      line.write(said, 'latin1');
    });
  }

  close() {
    this.#server.close();
    for (const line of this.#lines) line.destroy();
  }
}

/** A host that talks without end to who connects, and hears nothing; or, if it `hears`, all, and says nothing. */
class Flood {
  #server;
  #lines = new Set();

  static async start(hears, options) {
    const flood = new Flood();
    const take = (line) => flood.#take(line, hears);
    flood.#server = options ? tls.createServer(options, take) : net.createServer(take);
    flood.#server.listen(0, '127.0.0.1');
    await once(flood.#server, 'listening');
    return flood;
  }

  get port() {
    return this.#server.address().port;
  }

  #take(line, hears) {
    this.#lines.add(line);
    line.on('error', () => undefined);
    if (hears) return line.resume();
    const piece = Buffer.alloc(64 << 10);
    const said = function* () {
      yield Buffer.from('HTTP/1.1 200 OK\r\n\r\n');
      for (;;) yield piece;
    };
    Readable.from(said()).pipe(line);
  }

  close() {
    this.#server.close();
    for (const line of this.#lines) line.destroy();
  }
}

module.exports = { CANARY, Flood, Listener };
