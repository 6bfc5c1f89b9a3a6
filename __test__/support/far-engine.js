'use strict';

const { once } = require('node:events');
const net = require('node:net');

/** A Docker engine on a Unix socket of this machine, reached by way of a network: then it counts as another's. */
class FarEngine {
  #sockets = new Set();
  #server;

  /** @param engine its address */
  static async start(engine) {
    const far = new FarEngine();
    const { pathname } = new URL(engine);
    far.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const link = net.connect({ allowHalfOpen: true, path: pathname });
      for (const [from, to] of [
        [socket, link],
        [link, socket],
      ]) {
        far.#sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => far.#sockets.delete(from));
        from.pipe(to);
      }
    });
    far.#server.listen(0, '127.0.0.1');
    await once(far.#server, 'listening');
    return far;
  }

  get address() {
    return `tcp://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

module.exports = { FarEngine };
