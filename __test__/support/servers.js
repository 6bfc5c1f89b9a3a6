'use strict';

// Servers on this machine that containers are to reach, or not to.

const { execFileSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');

/** A key and a certificate of its own for names, as PEM. */
function certificateFor(...names) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'certificate-'));
  const file = (name) => path.join(folder, name);
  try {
    const subject = ['-subj', `/CN=${names[0]}`];
    const all = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
    const made = ['-keyout', file('key'), '-out', file('cert')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-days', '2', ...subject, '-addext', all, ...made],
      ],
      { stdio: 'pipe' },
    );
    return {
      key: fs.readFileSync(file('key'), 'utf8'),
      cert: fs.readFileSync(file('cert'), 'utf8'),
    };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
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

module.exports = { certificateFor, serve };
