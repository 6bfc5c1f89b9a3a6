'use strict';

// An HTTPS server in a process of its own, so that it does not wait for what is measured: `/` says hello, `/N` gives N
// bytes, and a POST is told how many it had. Tells its port and its certificate, and ends with its stdin.

const https = require('node:https');
const { pipeline } = require('node:stream');

const { certificateFor } = require('../../harness/certificate');

const [name] = process.argv.slice(2);
const PIECE = Buffer.alloc(256 << 10, 'x');

function* bytes(count) {
  for (let left = count; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left);
}

const { key, cert } = certificateFor(name);
const server = https.createServer({ key, cert }, (request, response) => {
  if (request.method === 'POST') {
    let count = 0;
    request.on('data', (data) => {
      count += data.length;
    });
    request.on('end', () => response.end(String(count)));
    return;
  }
  const count = Number(request.url.slice(1));
  if (count === 0) {
    response.end('hello');
    return;
  }
  response.setHeader('Content-Length', count);
  // A client that goes is no error here.
  pipeline(bytes(count), response, () => undefined);
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  process.stdout.write(`${JSON.stringify({ port, certificate: cert })}\n`);
});
process.stdin.resume().on('end', () => process.exit());
