'use strict';

// Ordinary scripts do in a hardened container what they do in one as the old service made them.

const fs = require('node:fs');
const path = require('node:path');

const { Pools, outside } = require('../support/engine');

const CORPUS = path.join(__dirname, 'corpus');

const scripts = fs.readdirSync(CORPUS).map((file) => ({
  name: path.basename(file, '.py'),
  source: fs.readFileSync(path.join(CORPUS, file), 'utf8'),
}));

// An old C library and a new one: they make other system calls.
const IMAGES = ['python:3.9-slim', 'python:3.13-slim'];

/** What a caller makes of a result. */
const seen = ({ stdout, stderr, exitCode, reason, signal }) => ({
  stdout,
  stderr,
  exitCode,
  reason,
  signal,
});

describe.each(IMAGES)('%s', (image) => {
  const pools = new Pools();
  let hardened;
  let legacy;

  // One container of each kind for all of them: what is compared is the kind.
  beforeAll(async () => {
    const options = { image, poolSize: 0, cpuQuota: Infinity };
    hardened = await pools.make(options).acquire();
    legacy = await pools.make({ ...options, hardening: 'legacy' }).acquire();
  });

  afterAll(pools.close);

  const possible = scripts.filter(
    ({ source }) => outside().hasTerminals || !/\bpty\b/.test(source),
  );

  test.each(possible)('$name', async ({ source }) => {
    const [ours, theirs] = await Promise.all(
      [hardened, legacy].map((container) => container.execute(source, {}, [], { timeout: 30_000 })),
    );
    expect(seen(ours)).toEqual(seen(theirs));
    expect(ours).toMatchObject({ stderr: '', exitCode: 0, reason: 'exit' });
    expect(ours.stdout).not.toBe('');
  });
});
