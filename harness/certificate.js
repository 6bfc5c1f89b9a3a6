'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
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

module.exports = { certificateFor };
