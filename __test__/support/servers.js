'use strict';

// Servers on this machine that containers are to reach, or not to.

const { execFileSync } = require('node:child_process');
const dgram = require('node:dgram');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');

const { certificateFor } = require('../../harness/certificate');

/** Whoever signs the certificates of a test: its own as `pem`, and `certify(name)`. */
function authority() {
  const folder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'authority-'));
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const inside = (work) => {
    const at = folder();
    try {
      return work((name) => path.join(at, name));
    } finally {
      fs.rmSync(at, { recursive: true });
    }
  };
  const own = inside((file) => {
    const made = ['-keyout', file('key'), '-out', file('cert'), '-subj', '/CN=authority.test'];
    openssl('req', '-x509', ...key, '-days', '2', ...made);
    return { key: fs.readFileSync(file('key')), cert: fs.readFileSync(file('cert'), 'utf8') };
  });
  return {
    pem: own.cert,
    certify: (name) =>
      inside((file) => {
        fs.writeFileSync(file('ca.key'), own.key);
        fs.writeFileSync(file('ca'), own.cert);
        fs.writeFileSync(file('more'), `subjectAltName=DNS:${name}\nbasicConstraints=CA:FALSE\n`);
        openssl('req', ...key, '-keyout', file('key'), '-out', file('csr'), '-subj', `/CN=${name}`);
        const signed = ['-CA', file('ca'), '-CAkey', file('ca.key'), '-CAcreateserial'];
        const more = ['-days', '2', '-extfile', file('more'), '-out', file('cert')];
        openssl('x509', '-req', '-in', file('csr'), ...signed, ...more);
        return { key: fs.readFileSync(file('key')), cert: fs.readFileSync(file('cert')) };
      }),
  };
}

/**
 * A DNS server that has addresses for names, `{ name: '127.0.0.1' }`, or for each look-up what a function gives, of
 * which there may be several: `address`, the names that it was `asked` for, and `close()`.
 */
async function serveNames(addresses) {
  const socket = dgram.createSocket('udp4');
  const asked = [];
  socket.on('message', (query, from) => {
    const labels = [];
    let at = 12;
    for (; query[at] > 0; at += 1 + query[at])
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
    const question = query.subarray(12, at + 5);
    const isV4 = question.readUInt16BE(question.length - 4) === 1;
    const name = labels.join('.').toLowerCase();
    if (isV4) asked.push(name);
    const known = addresses[name];
    const found = isV4 && known ? [typeof known === 'function' ? known() : known].flat() : [];
    // The question's name again, of type A, in the internet, for 0 s, 4 bytes.
    const records = found.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    );
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(known === undefined ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    socket.send(Buffer.concat([head, question, ...records]), from.port);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const address = `127.0.0.1:${socket.address().port}`;
  return { address, asked, close: () => socket.close() };
}

/** A server that answers with `answer(request, response)`; `port`, and `close()`. */
async function serve(answer, tls) {
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

module.exports = { authority, certificateFor, serve, serveNames };
