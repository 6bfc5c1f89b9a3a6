'use strict';

const http = require('node:http');

const { defer } = require('../cleanup');

/** What of a cluster another process may do: each takes and gives what JSON can. */
const DEEDS = [
  ...['end', 'ready', 'request', 'restartEtcd', 'signal'],
  ...['startApiServer', 'startKubelet', 'user'],
];

/** Lets processes of this machine have a cluster do things, by a socket at `path`. */
async function control(cluster, path) {
  const server = http.createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    try {
      const { what, args } = JSON.parse(text);
      if (!DEEDS.includes(what)) throw new Error(`no such deed: ${what}`);
      response.end(JSON.stringify({ value: await cluster[what](...args) }));
    } catch (error) {
      response.end(JSON.stringify({ error: error.message }));
    }
  });
  await new Promise((resolve) => server.listen(path, resolve));
  defer(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
}

/** Has the cluster behind the socket at `path` do something; resolves with what that gives. */
function ask(path, what, ...args) {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: path, method: 'POST' }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { value, error } = JSON.parse(text);
        if (error === undefined) resolve(value);
        else reject(new Error(`${what}: ${error}`));
      });
    });
    request.on('error', reject);
    request.end(JSON.stringify({ what, args }));
  });
}

module.exports = { ask, control };
