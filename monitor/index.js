'use strict';

const { once } = require('node:events');
const net = require('node:net');

const places = require('./places');

/** Whether somebody listens at a place. */
function isTaken(place) {
  return new Promise((resolve) => {
    const socket = net.connect(place);
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Shows pools on a local socket. `index.d.ts` is its documentation. */
async function showPools(pools) {
  const { pid } = process;
  places.prepare();
  if (await isTaken(places.placeOf(pid))) {
    throw new Error(`process ${pid} shows its pools already: give them all to one showPools`);
  }
  // What a dead process with the same id has left.
  places.clear(pid);
  places.prepare();
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.unref();
    // Whoever looks may go away at any time.
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    // Each line asks once; what it says does not matter.
    socket.on('data', (chunk) => {
      for (const byte of chunk)
        if (byte === 10) socket.write(`${JSON.stringify(snapshot(pools))}\n`);
    });
  });
  server.unref();
  server.listen(places.placeOf(pid));
  await once(server, 'listening');
  return async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
    places.clear(pid);
  };
}

function snapshot(pools) {
  const named = typeof pools === 'function' ? pools() : pools;
  return {
    pid: process.pid,
    pools: Object.fromEntries(
      Object.entries(named).map(([name, pool]) => [name, { image: pool.image, ...pool.stats() }]),
    ),
  };
}

module.exports = { showPools };
