'use strict';

const { once } = require('node:events');
const net = require('node:net');

const places = require('./places');

/** Who looks is one person, with a few terminals. */
const MAX_CONNECTIONS = 16;

/** Bytes of a line that asks: it has nothing to say. */
const MAX_LINE = 1024;

/** Whether somebody listens at a place. */
function isTaken(place) {
  return new Promise((resolve) => {
    const socket = net.connect(place);
    socket.on('error', (error) => resolve(!places.isNobody(error)));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Shows pools on a local socket. `index.d.ts` is its documentation. */
async function showPools(pools) {
  const { pid } = process;
  if (places.isThere() && (await isTaken(places.placeOf(pid)))) {
    throw new Error(`process ${pid} shows its pools already: give them all to one showPools`);
  }
  // What a dead process with the same id has left.
  places.clear(pid);
  places.prepare();
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.unref();
    socket.on('close', () => sockets.delete(socket));
    // Whoever looks may go away at any time.
    serve(socket, pools).catch(() => socket.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
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

/**
 * Answers a line; what it says does not matter. One answer is under way at a time, and until it is taken
 * nothing more is read: all that has been asked by then has one answer together.
 */
async function serve(socket, pools) {
  let open = 0;
  for await (const chunk of socket) {
    const end = chunk.lastIndexOf('\n');
    open = end < 0 ? open + chunk.length : chunk.length - end - 1;
    if (open > MAX_LINE) break;
    if (end < 0) continue;
    await new Promise((resolve, reject) => {
      const taken = (error) => (error ? reject(error) : resolve());
      socket.write(`${JSON.stringify(snapshot(pools))}\n`, taken);
    });
  }
  socket.destroy();
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
