'use strict';

const { constants } = require('node:buffer');

const { asBytes, checkSize, isContent, sizeOf } = require('./content');
const { invalid, show, typeOf, wrong, wrongType } = require('../errors');
const { canRepeat, readFileSet, readPatterns } = require('../container/files');
const {
  MiB,
  abortSignal,
  bytes,
  checkText,
  flag,
  millis,
  oneOf,
  readTable,
  whole,
  words,
} = require('../options/value-kinds');
const { narrowed } = require('../options/network');
const { isRecord } = require('../options/unknown-names');

const callback = {
  read(value, path) {
    if (typeof value === 'function') return value;
    throw wrong(path, 'a function', value);
  },
};

/** What a script or a command reads is sent as it reads: only this process holds it whole. */
const MAX_INPUT = 1024 * MiB;

const input = {
  read(value, path) {
    if (!isContent(value)) {
      throw invalid(`${path} must be a string, a Buffer or a Uint8Array; got ${typeOf(value)}`);
    }
    checkSize(sizeOf(value), MAX_INPUT, path);
    return asBytes(value, path);
  },
};

/** The longest path that Linux takes (`PATH_MAX`, less its closing NUL). */
const MAX_PATH = 4095;

const folder = {
  read(value, path) {
    const name = words.read(value, path);
    checkSize(sizeOf(name), MAX_PATH, path);
    return name;
  },
};

/** A script can't have more bytes than the memory it runs in, whatever its interpreter makes of it. */
function checkScriptSize(script, { memory }) {
  checkSize(sizeOf(script), Math.min(memory, MAX_INPUT), 'script');
}

/**
 * The container's first process holds words several times over as it passes them on, and it must not be
 * what its memory does not suffice for.
 */
function checkWords(list, { memory }, path) {
  const most = Math.min(Math.floor(memory / 16), 64 * MiB);
  // Each goes behind its length, in four bytes.
  checkSize(
    list.reduce((sum, word) => sum + sizeOf(word) + 4, 0),
    most,
    path,
  );
  return list;
}

/** Every option of a call, but for those that only one form of it has. */
const CALL_OPTIONS = {
  timeout: millis({ none: true }),
  cpuTime: millis({ none: true }),
  signal: abortSignal,
  maxOutputBytes: bytes(0, { none: true }),
  onStdout: callback,
  onStderr: callback,
  cwd: folder,
  network: narrowed,
  encoding: oneOf('utf8', 'buffer'),
  trim: flag,
  collect: flag,
};

/** What is shown comes whole into this process, and into the interpreter's memory before. */
const MOST_SHOWN = 256 * MiB;

const shownBytes = {
  read(value, path) {
    const size = bytes(0).read(value, path);
    checkSize(size, MOST_SHOWN, path);
    return size;
  },
};

/** The most bytes of what a script shows unless told otherwise. */
const SHOWN = 10 * MiB;

const SCRIPT_OPTIONS = {
  ...CALL_OPTIONS,
  display: flag,
  maxDisplayBytes: shownBytes,
};

/** Those of a call whose output goes to streams. */
const SPAWN_OPTIONS = Object.fromEntries(
  ['timeout', 'cpuTime', 'signal', 'maxOutputBytes', 'cwd', 'network', 'encoding'].map((name) => [
    name,
    CALL_OPTIONS[name],
  ]),
);

const COMMAND_OPTIONS = { ...CALL_OPTIONS, stdin: input };

/**
 * Keys of Docker's exec API that old callers pass along. What they ask for happens anyway, or, where
 * the value is `false`, does not happen anyway; any other value would be a wish ignored.
 */
const DOCKER_KEYS = {
  AttachStdout: [true],
  AttachStderr: [true],
  AttachStdin: [true, false],
  Detach: [false],
  Privileged: [false],
  Tty: [false],
};

/** Reads `options` by a table of kinds; what isn't given is absent from the answer. */
function readOptions(options, table, path = 'options') {
  if (!isRecord(options)) throw wrongType(path, 'an object', options);
  return readTable(options, table, path);
}

const ACQUIRE_OPTIONS = { timeout: CALL_OPTIONS.timeout, signal: abortSignal };

/** The options of `acquire`. */
function readAcquire(options, settings) {
  if (options === undefined) return { timeout: settings.acquireTimeout, signal: undefined };
  const { timeout = settings.acquireTimeout, signal } = readOptions(options, ACQUIRE_OPTIONS);
  return { timeout, signal };
}

/** How long a shutdown waits for the holders of containers unless told otherwise, in ms. */
const GRACE = 5000;

const SHUTDOWN_OPTIONS = { grace: whole(0, 2_147_483_647, { unit: 'milliseconds' }) };

/** The options of `shutdown`. */
function readShutdown(options = {}) {
  return readOptions(options, SHUTDOWN_OPTIONS).grace ?? GRACE;
}

/** Environment variables as the native side takes them: name, value, name, value. */
function readEnv(env, settings, path = 'env') {
  if (!isRecord(env)) throw wrongType(path, 'an object of environment variables', env);
  const flat = [];
  for (const name of Object.keys(env)) {
    const value = env[name];
    if (value === undefined) continue;
    if (name === '') throw invalid(`${path} has a variable without a name`);
    const [before, after] = name.split('=', 2);
    // What stands behind the '=' was most likely meant to be a value.
    const where = `${path}[${show(after === undefined ? name : `${before}=…`)}]`;
    if (after !== undefined) throw invalid(`${where}: the name of a variable has no '=' in it`);
    if (name.includes('\0')) throw invalid(`${where}: the name of a variable has no NUL in it`);
    checkText(name, where);
    const type = typeof value;
    if (type !== 'string' && type !== 'number' && type !== 'boolean') {
      // The type only: the value may be a secret.
      throw invalid(`${where} must be a string, a number or a boolean; got ${typeOf(value)}`);
    }
    const text = String(value);
    if (text.includes('\0')) throw invalid(`${where}: the value of a variable has no NUL in it`);
    flat.push(name, checkText(text, where));
  }
  return checkWords(flat, settings, path);
}

/** Docker's spelling of the same, `['NAME=value']`. A name alone unsets in Docker: not offered here. */
function readDockerEnv(list, settings) {
  if (!Array.isArray(list)) throw wrongType('Env', "an array such as ['NAME=value']", list);
  const env = Object.create(null);
  list.forEach((entry, index) => {
    const at = typeof entry === 'string' ? entry.indexOf('=') : -1;
    if (at < 1)
      throw invalid(`Env[${index}] must be text such as 'NAME=value'; got ${typeOf(entry)}`);
    env[entry.slice(0, at)] = entry.slice(at + 1);
  });
  return readEnv(env, settings, 'Env');
}

/** Arguments of a script: strings, and numbers as strings. */
function readArgs(args, settings) {
  if (!Array.isArray(args)) throw wrongType('args', 'an array of strings and numbers', args);
  const list = Array.from(args, (arg, index) => {
    if (typeof arg !== 'string' && typeof arg !== 'number') {
      throw invalid(`args[${index}] must be a string or a number; got ${typeOf(arg)}`);
    }
    const text = String(arg);
    if (text.includes('\0')) throw invalid(`args[${index}]: an argument has no NUL in it`);
    return checkText(text, `args[${index}]`);
  });
  return checkWords(list, settings, 'args');
}

function readCommand(cmd, settings) {
  if (!Array.isArray(cmd) || cmd.length === 0) {
    const advice = typeof cmd === 'string' ? "; for a shell's line use ['sh', '-c', line]" : '';
    const got = Array.isArray(cmd) ? 'an empty one' : typeOf(cmd);
    throw invalid(`cmd must be an array of strings, not empty; got ${got}${advice}`);
  }
  const list = Array.from(cmd, (word, index) => {
    if (typeof word !== 'string')
      throw invalid(`cmd[${index}] must be a string; got ${typeOf(word)}`);
    if (word.includes('\0')) throw invalid(`cmd[${index}]: an argument has no NUL in it`);
    if (index === 0 && word === '')
      throw invalid('cmd[0] must name a program; got an empty string');
    return checkText(word, `cmd[${index}]`);
  });
  return checkWords(list, settings, 'cmd');
}

/** A call: the native job, and what this side does around it. */
function makeCall(job, options, isScript, settings) {
  const { encoding = 'utf8', collect = true } = options;
  if (encoding === 'buffer' && options.trim === true) {
    throw invalid("trim takes text; with encoding: 'buffer' the bytes come as they are");
  }
  // Output that nobody keeps needs no bound unless the caller sets one.
  const most = options.maxOutputBytes ?? (collect ? settings.maxOutputBytes : Infinity);
  job.timeoutMs = options.timeout ?? settings.execTimeout;
  job.cpuTimeMs = options.cpuTime ?? settings.cpuTime;
  job.maxOutputBytes = most === Infinity ? -1 : most;
  job.collect = collect;
  if (options.cwd !== undefined) job.cwd = options.cwd;
  if (options.network !== undefined) {
    if (typeof settings.network !== 'string') job.network = JSON.stringify(options.network);
    // Where there is no network there is nothing to take away from it.
    else if (settings.network !== 'none' || options.network.allow.length > 0) {
      throw invalid(
        "network narrows a pool's network: { allow: […] }; that of this pool is " +
          show(settings.network),
      );
    }
  }
  if (options.stdin !== undefined) job.stdin = options.stdin;
  if (options.display) job.display = options.maxDisplayBytes ?? SHOWN;
  return {
    job,
    encoding,
    trim: encoding === 'utf8' && (options.trim ?? isScript),
    signal: options.signal,
    onStdout: options.onStdout,
    onStderr: options.onStderr,
  };
}

/** A script's job, and its options by a table of kinds. */
function readScript(script, [env = {}, args = [], options = {}], settings, table = SCRIPT_OPTIONS) {
  if (!isContent(script)) {
    throw invalid(`script must be Python source, a string or a Uint8Array; got ${typeOf(script)}`);
  }
  checkScriptSize(script, settings);
  if (isRecord(options) && options.stdin !== undefined) {
    throw invalid('stdin is for commands: a script is itself what python3 reads from its stdin');
  }
  const source = asBytes(script, 'script');
  const words = readArgs(args, settings);
  const variables = readEnv(env, settings);
  return {
    job: { script: source, args: words, env: variables },
    read: readOptions(options, table),
  };
}

/** `execute(script, env, args, options)`. */
function readScriptCall(script, env, args, options, settings) {
  const { job, read } = readScript(script, [env, args, options], settings);
  return makeCall(job, read, true, settings);
}

/** Of an interpreter that stays, what is one call's. */
const { cwd: _cwd, network: _network, ...RUN_OPTIONS } = SCRIPT_OPTIONS;

/** `session.run(code, options)`. */
function readSessionRun(code, options, settings) {
  const { job, read } = readScript(code, [{}, [], options], settings, RUN_OPTIONS);
  return makeCall(job, read, true, settings);
}

/** How long a run may take to let go of what it is interrupted in, unless told otherwise, in ms. */
const LET_GO = 2000;

const SESSION_OPTIONS = {
  cwd: folder,
  grace: whole(0, 60_000, { unit: 'milliseconds' }),
};

/** The options of `session`. */
function readSession(options = {}, settings) {
  if (!isRecord(options)) throw wrongType('options', 'an object', options);
  const { env = {}, ...rest } = options;
  const { cwd, grace = LET_GO } = readOptions(rest, SESSION_OPTIONS);
  return { env: readEnv(env, settings), cwd, grace };
}

/** The options of a command with Docker's spellings made into ours. */
function withoutDockerSpellings(options, settings) {
  if (!isRecord(options)) throw wrongType('options', 'an object', options);
  const { Env, WorkingDir, env = {}, ...rest } = options;
  if (Env !== undefined && options.env !== undefined)
    throw invalid('give either env or Env, not both');
  if (WorkingDir !== undefined) {
    if (rest.cwd !== undefined) throw invalid('give either cwd or WorkingDir, not both');
    rest.cwd = folder.read(WorkingDir, 'WorkingDir');
  }
  for (const [key, harmless] of Object.entries(DOCKER_KEYS)) {
    if (rest[key] !== undefined && !harmless.includes(rest[key])) {
      throw invalid(`${key}: ${show(rest[key])} is not supported`);
    }
    delete rest[key];
  }
  const variables = Env === undefined ? readEnv(env, settings) : readDockerEnv(Env, settings);
  return { env: variables, rest };
}

/** `executeCommand(cmd, options)`, and `execute(cmd, options)`. */
function readCommandCall(cmd, options = {}, settings) {
  const argv = readCommand(cmd, settings);
  if (options?.display !== undefined) {
    throw invalid('display is for scripts: what a command shows is its output');
  }
  const { env, rest } = withoutDockerSpellings(options, settings);
  return makeCall({ argv, args: [], env }, readOptions(rest, COMMAND_OPTIONS), false, settings);
}

function readSpawnedCommand(cmd, options = {}, settings) {
  const argv = readCommand(cmd, settings);
  if (!isRecord(options)) throw wrongType('options', 'an object', options);
  const { env = {}, ...rest } = options;
  const read = readOptions(rest, SPAWN_OPTIONS);
  const job = { argv, args: [], env: readEnv(env, settings) };
  return { job, read };
}

/** `spawn(script, env, args, options)` and `spawn(cmd, options)`. */
function readSpawn(what, rest, settings) {
  const { job, read } = Array.isArray(what)
    ? readSpawnedCommand(what, rest[0], settings)
    : readScript(what, rest, settings, SPAWN_OPTIONS);
  const wanted = { encoding: 'buffer', ...read, collect: false };
  return makeCall({ ...job, spawned: true }, wanted, false, settings);
}

/** The longest line, in characters, that comes in one piece unless told otherwise. */
const MAX_LINE = 1024 * 1024;

const LINES_OPTIONS = {
  from: oneOf('stdout', 'stderr'),
  maxLength: whole(1, constants.MAX_STRING_LENGTH, { unit: 'characters' }),
};

/** The options of `lines`. */
function readLines(options = {}) {
  const { from = 'stdout', maxLength = MAX_LINE } = readOptions(options, LINES_OPTIONS);
  return { from, maxLength };
}

/** What `run` writes before the call (`entries`), and collects after it (`patterns`); each may be `undefined`. */
function readRunFiles({ files, collect }) {
  const wanted = typeof collect === 'string' || Array.isArray(collect);
  return {
    entries: files === undefined ? undefined : readFileSet(files),
    patterns: wanted ? readPatterns(collect, 'collect') : undefined,
  };
}

/** `run(scriptOrCmd, options)`: the call, how long to wait for a container, and the files around it. */
function readRun(what, options = {}, settings) {
  if (!isRecord(options)) throw wrongType('options', 'an object', options);
  const { acquireTimeout, files, ...rest } = options;
  const around = readRunFiles(options);
  if (around.patterns !== undefined) delete rest.collect;
  const repeatable = around.entries === undefined || canRepeat(around.entries);
  const { call, timeout } = readRunCall(what, acquireTimeout, rest, settings);
  return { call, timeout, around, repeatable };
}

function readRunCall(what, acquireTimeout, rest, settings) {
  const timeout =
    acquireTimeout === undefined
      ? settings.acquireTimeout
      : CALL_OPTIONS.timeout.read(acquireTimeout, 'acquireTimeout');
  if (Array.isArray(what)) {
    if (rest.args !== undefined)
      throw invalid('args is for scripts; put arguments into the command');
    delete rest.args;
    return { call: readCommandCall(what, rest, settings), timeout };
  }
  if (!isContent(what)) {
    throw invalid(`run takes Python source or a command; got ${typeOf(what)}`);
  }
  const { env, args, ...call } = rest;
  return { call: readScriptCall(what, env, args, call, settings), timeout };
}

module.exports = {
  readAcquire,
  readCommandCall,
  readLines,
  readRun,
  readScriptCall,
  readSession,
  readSessionRun,
  readShutdown,
  readSpawn,
};
