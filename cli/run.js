'use strict';

const fs = require('node:fs/promises');
const { buffer } = require('node:stream/consumers');

const { ContainerPoolManager } = require('..');
const { invalid } = require('../lib/errors');
const { engineOptions } = require('./engine');

const options = {
  ...engineOptions,
  env: { type: 'string', multiple: true, default: [] },
  timeout: { type: 'string' },
  memory: { type: 'string' },
  network: { type: 'string' },
  cwd: { type: 'string' },
};

function fault([file]) {
  return file === undefined ? 'run needs a script: run FILE -- ARGS' : undefined;
}

/** `--env`: pairs, and names whose value is the one they have here. */
function variables(given, env) {
  return Object.fromEntries(
    given.map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, env[entry]] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

/** Writes a chunk; what it returns is pending while the reader is behind. */
function write(stream, chunk) {
  if (stream.write(chunk)) return undefined;
  return new Promise((resolve) => stream.once('drain', resolve));
}

/** Why a script ended that did not end by itself. */
const REASONS = {
  signal: ({ signal }) => `ended by ${signal}`,
  timeout: ({ duration }) => `ended after ${duration} ms by its timeout`,
  output_limit: () => 'ended by its output: --json keeps 10 MiB of each stream',
  oom: () => 'ended for want of memory; --memory gives it more',
};

async function perform({ values, positionals: [file, ...args], pool: given, io }) {
  const source = file === '-' ? await buffer(io.stdin) : await fs.readFile(file);
  const call = {
    args,
    env: variables(values.env, io.env),
    ...(values.cwd === undefined ? {} : { cwd: values.cwd }),
  };
  if (values.timeout !== undefined) {
    if (!/^\d+$/.test(values.timeout)) {
      throw invalid(`--timeout must be a whole number of milliseconds; got ${values.timeout}`);
    }
    call.timeout = Number(values.timeout);
  }
  if (!values.json) {
    Object.assign(call, {
      collect: false,
      encoding: 'buffer',
      onStdout: (chunk) => write(io.stdout, chunk),
      onStderr: (chunk) => write(io.stderr, chunk),
    });
  }
  const pool = new ContainerPoolManager({ ...given, poolSize: 0, handleSignals: true });
  try {
    const result = await pool.run(source.toString(), call);
    if (values.json) io.stdout.write(`${JSON.stringify(result)}\n`);
    const why = REASONS[result.reason]?.(result);
    if (why !== undefined) io.stderr.write(`scientist-pool: ${why}\n`);
    return result.exitCode;
  } finally {
    await pool.shutdown({ grace: 0 });
  }
}

module.exports = { fault, options, perform };
