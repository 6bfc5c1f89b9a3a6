'use strict';

const fs = require('node:fs/promises');
const { buffer } = require('node:stream/consumers');

const { ContainerPoolManager } = require('..');
const { readPatterns } = require('../lib');
const { FAULT } = require('./codes');
const { containerOptions } = require('./engine');
const { Out, localFiles } = require('./files');
const { limitOptions, limits, number } = require('./limits');
const { printable, printableJson } = require('./printable');
const { showPull } = require('./pull-progress');

const options = {
  ...containerOptions,
  ...limitOptions,
  env: { type: 'string', multiple: true, default: [] },
  timeout: { type: 'string' },
  'cpu-time': { type: 'string' },
  cwd: { type: 'string' },
  file: { type: 'string', multiple: true, default: [] },
  collect: { type: 'string', multiple: true, default: [] },
  out: { type: 'string' },
  display: { type: 'boolean', default: false },
};

function fault([file], { collect, out, display }) {
  if (file === undefined) return 'run needs a script: run FILE -- ARGS';
  if (collect.length > 0 && out === undefined) return '--collect needs --out DIR';
  if (collect.length === 0 && out !== undefined && !display)
    return '--out needs --collect GLOB or --display';
  return undefined;
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

/** Writes a chunk as it is, as `docker run` does; what it returns is pending while the reader is behind. */
function write(stream, chunk) {
  if (stream.write(chunk)) return undefined;
  return new Promise((resolve) => stream.once('drain', resolve));
}

/** What was shown that is written as files: pictures, by their types. */
const PICTURES = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/svg+xml': 'svg',
  'application/pdf': 'pdf',
};

/** Name → bytes of what was shown and is a picture. */
function picturesOf(display) {
  const pictures = display.flatMap((bundle, at) =>
    Object.keys(PICTURES)
      .filter((type) => type in bundle)
      .map((type) => [`shown-${at + 1}.${PICTURES[type]}`, Buffer.from(bundle[type])]),
  );
  return Object.fromEntries(pictures);
}

/** What was shown as text, for those who read the output. */
function textOf(display) {
  return display.map((bundle) => `${bundle['text/plain'] ?? Object.keys(bundle).join(', ')}\n`);
}

/** As JSON has it: bytes as base64, as in a notebook's file. */
function asJson(display) {
  return display.map((bundle) =>
    Object.fromEntries(
      Object.entries(bundle).map(([type, data]) => [
        type,
        Buffer.isBuffer(data) ? data.toString('base64') : data,
      ]),
    ),
  );
}

/** Why a script ended that did not end by itself. */
const REASONS = {
  signal: ({ signal }) => `ended by ${signal}`,
  timeout: ({ duration }) => `ended after ${duration} ms by its timeout`,
  output_limit: () => 'ended by its output: --json and --collect keep 10 MiB of each stream',
  cpu: () => 'ended by its CPU time; --cpu-time gives it more',
  oom: () => 'ended for want of memory; --memory gives it more',
};

/** The options of the call that the command line asks for. */
async function callOptions(values, args, io) {
  const call = {
    args,
    env: variables(values.env, io.env),
    files: values.file.length > 0 ? await localFiles(values.file) : undefined,
    cwd: values.cwd,
    timeout: number(values, 'timeout', 'milliseconds'),
    cpuTime: number(values, 'cpu-time', 'milliseconds'),
    display: values.display || undefined,
  };
  if (!values.json) {
    Object.assign(call, {
      collect: false,
      encoding: 'buffer',
      onStdout: (chunk) => write(io.stdout, chunk),
      onStderr: (chunk) => write(io.stderr, chunk),
    });
  }
  if (values.collect.length > 0) {
    for (const glob of values.collect) readPatterns(glob, `--collect ${glob}`);
    call.collect = values.collect;
  }
  return call;
}

async function perform({ values, positionals: [file, ...args], pool: given, io }) {
  const source = file === '-' ? await buffer(io.stdin) : await fs.readFile(file);
  const call = await callOptions(values, args, io);
  const out = values.out === undefined ? null : await Out.open(values.out);
  const pool = new ContainerPoolManager({
    ...given,
    ...limits(values),
    poolSize: 0,
    // A pull and an installation have a limit of their own.
    acquireTimeout: 0,
    // One container is no use of it.
    template: false,
    handleSignals: true,
  });
  const wipe = showPull(pool, io);
  const say = (words) => io.stderr.write(`scientist-pool: ${printable(words)}\n`);
  try {
    const { files: found, fileErrors: unread = [], ...result } = await pool.run(source, call);
    const { display = [] } = result;
    const { files, unwritten = [] } =
      (await out?.write({ ...picturesOf(display), ...found })) ?? {};
    const fileErrors = out && [...unread, ...unwritten];
    if (values.json) {
      const shown = values.display ? { display: asJson(display) } : {};
      io.stdout.write(`${printableJson({ ...result, ...shown, files, fileErrors })}\n`);
    } else for (const text of textOf(display)) await write(io.stdout, text);
    const why = REASONS[result.reason]?.(result);
    if (why !== undefined) say(why);
    else if (call.collect && files?.length === 0 && fileErrors.length === 0)
      say(`there is no file that matches --collect ${values.collect.join(' or ')}`);
    for (const { message } of fileErrors ?? []) say(message);
    return result.exitCode === 0 && fileErrors?.length > 0 ? FAULT : result.exitCode;
  } finally {
    wipe();
    await pool.shutdown({ grace: 0 });
  }
}

module.exports = { fault, options, perform };
