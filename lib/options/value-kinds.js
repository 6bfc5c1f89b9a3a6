'use strict';

const { addressFault } = require('./engine-address');
const { PoolError, invalid, show, wrong } = require('../errors');
const { checkNames, isRecord } = require('./unknown-names');
const { imageFault } = require('./image-reference');

// A kind is what values an option takes:
//   read(value, path)  the value in its one normal form, or a thrown INVALID_ARGUMENT naming `path`;
//   parse(text, path)  the same from an environment variable (kinds that no variable sets lack it).

const KiB = 1024;
const MiB = KiB * KiB;

/** Milliseconds that Node's own timers take (2^31 - 1: 24.8 days). */
const MAX_MILLIS = 2_147_483_647;

/** A whole number. With `none`, `Infinity` too, though not as an environment variable's text. */
function whole(least, most, { unit = '', none = false } = {}) {
  const range =
    most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  const expected = `a whole number ${range}${unit === '' ? '' : ` (${unit})`}`;
  const fits = (value) => Number.isInteger(value) && value >= least && value <= most;
  const read = (value, path) => {
    if (fits(value) || (none && value === Infinity)) return value;
    throw wrong(path, none ? `${expected}, or Infinity for no limit` : expected, value);
  };
  const parse = (text, path) => {
    const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
    if (fits(value)) return value;
    throw wrong(path, expected, text);
  };
  return { expected, fits, read, parse };
}

/** A range of whole numbers, `{ min, max }`. One number stands for both, and is the form of equal ones. */
function rangeOf(one) {
  const normal = ({ min, max }) => (min === max ? min : { min, max });
  const read = (value, path) => {
    if (!isRecord(value)) return one.read(value, path);
    checkNames(value, path, ['min', 'max']);
    const min = one.read(value.min, `${path}.min`);
    const max = one.read(value.max, `${path}.max`);
    if (min > max) throw wrong(`${path}.min`, `at most ${path}.max, which is ${max}`, min);
    return normal({ min, max });
  };
  const parse = (text, path) => {
    const [, min, max = min] = /^([0-9]+)(?:-([0-9]+))?$/.exec(text) ?? [];
    const range = { min: Number(min), max: Number(max) };
    if (one.fits(range.min) && one.fits(range.max) && range.min <= range.max) return normal(range);
    throw wrong(path, `${one.expected}, or two such as 2-20`, text);
  };
  return { read, parse };
}

/** Whole milliseconds. With `none`, 0 and `Infinity` both mean that there is no limit; it reads as 0. */
function millis({ none }) {
  const expected = `a whole number of milliseconds from ${none ? 0 : 1} to ${MAX_MILLIS}${
    none ? ' (0 or Infinity: no limit)' : ''
  }`;
  const read = (value, path) => {
    if (Number.isInteger(value) && value >= (none ? 0 : 1) && value <= MAX_MILLIS) return value;
    if (none && value === Infinity) return 0;
    throw wrong(path, expected, value);
  };
  return { read };
}

const UNITS = { '': 1, k: KiB, m: MiB, g: KiB * MiB, t: MiB * MiB };

/** Bytes: a whole number, or text as docker spells it (`'128m'`, `'1.5GiB'`; units of 1024). */
function bytes(least, { none = false } = {}) {
  const expected = `a whole number of bytes of ${least} or more, or text such as '128m'${
    none ? ', or Infinity for no limit' : ''
  }`;
  const parse = (text, path) => {
    // The grammar of RAMInBytes in github.com/docker/go-units, less its petabytes.
    const match = /^([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)i?b?$/i.exec(text);
    const size =
      match === null ? NaN : Math.floor(Number(match[1]) * UNITS[match[2].toLowerCase()]);
    if (Number.isSafeInteger(size) && size >= least) return size;
    throw wrong(path, expected, text);
  };
  const read = (value, path) => {
    if (typeof value === 'string') return parse(value, path);
    if (Number.isSafeInteger(value) && value >= least) return value;
    if (none && value === Infinity) return value;
    throw wrong(path, expected, value);
  };
  return { read, parse };
}

/** An AbortSignal of whichever realm or polyfill. */
const abortSignal = {
  read(value, path) {
    const fits =
      typeof value === 'object' &&
      value !== null &&
      typeof value.aborted === 'boolean' &&
      typeof value.addEventListener === 'function' &&
      typeof value.removeEventListener === 'function';
    if (fits) return value;
    throw wrong(path, 'an AbortSignal', value);
  },
};

const flag = {
  read(value, path) {
    if (typeof value === 'boolean') return value;
    throw wrong(path, 'true or false', value);
  },
};

/** One of a few words. */
function oneOf(...words) {
  const expected = words.map((word) => `'${word}'`).join(' or ');
  const read = (value, path) => {
    if (words.includes(value)) return value;
    throw wrong(path, expected, value);
  };
  return { read, parse: read };
}

/** Throws where a text has half of a surrogate pair: it has no UTF-8, and would go on as another text. */
function checkText(value, path) {
  if (value.isWellFormed()) return value;
  throw invalid(`${path} is no well-formed text: it has half of a surrogate pair in it`);
}

/** Text of a given shape. */
function text(pattern, expected) {
  const read = (value, path) => {
    if (typeof value === 'string' && pattern.test(value)) return checkText(value, path);
    throw wrong(path, expected, value);
  };
  return { read, parse: read };
}

/** Text without NUL, not empty. */
const words = text(/^[^\0]+$/, 'text that is not empty and has no NUL');

/** `null` beside what another kind takes. */
function orNull(kind) {
  return { ...kind, read: (value, path) => (value === null ? null : kind.read(value, path)) };
}

function listOf(kind, expected) {
  return {
    read(value, path) {
      if (!Array.isArray(value)) throw wrong(path, expected, value);
      // By index: the list may have holes, which `map` would leave in place.
      return Array.from(value, (item, index) => kind.read(item, `${path}[${index}]`));
    },
  };
}

/** Names and values; sorted by name, so that two equal ones are the same text. */
function mapOf(name, kind, expected) {
  return {
    read(value, path) {
      if (!isRecord(value)) throw wrong(path, expected, value);
      const entries = Object.keys(value).map((key) => {
        name(key, path);
        checkText(key, `${path}[${show(key)}]`);
        return [key, kind.read(value[key], `${path}[${show(key)}]`, key)];
      });
      return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  };
}

const image = text(/^/, 'the name of an image');
const imageReference = {
  read(value, path) {
    const name = image.read(value, path);
    const fault = name === '' ? 'it is empty' : imageFault(name);
    if (fault === undefined) return name;
    throw invalid(
      `${path} must be an image reference such as 'python:3.9-slim'; got ${show(name)}: ${fault}`,
    );
  },
};
imageReference.parse = imageReference.read;

const engineAddress = {
  read(value, path) {
    const fault = typeof value === 'string' ? addressFault(value) : 'it is no text';
    if (fault === undefined) return checkText(value, path);
    throw invalid(`${path} must be an engine's address; got ${show(value)}: ${fault}`);
  },
};
engineAddress.parse = engineAddress.read;

/** Set to anything: yes, as the docker CLI reads `DOCKER_TLS_VERIFY`. */
const flagBySetting = { ...flag, parse: () => true };

const userName = text(
  /^[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/,
  "a user such as '65534:65534', or null for the image's own",
);

const networkName = {
  read(value, path) {
    const expected =
      "'none', the name of one of the engine's networks, or an object such as { allow: ['pypi.org'] }";
    if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value)) {
      throw wrong(path, expected, value);
    }
    if (value === 'host') {
      throw invalid(
        `${path} must be ${expected}; 'host' would give the script the host's own network`,
      );
    }
    return value;
  },
};

// capability.h of Linux 6.
const CAPABILITIES =
  'AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM'.split(
    ' ',
  );

const capability = {
  read(value, path) {
    const name = typeof value === 'string' ? value.toUpperCase().replace(/^CAP_/, '') : '';
    if (CAPABILITIES.includes(name)) return name;
    throw wrong(path, "a Linux capability such as 'NET_BIND_SERVICE'", value);
  },
};

const capabilities = {
  read(value, path) {
    const names = listOf(capability, 'an array of Linux capabilities').read(value, path);
    return [...new Set(names)].sort();
  },
};

const TMPFS_OPTION =
  /^(?:rw|ro|(?:no)?(?:suid|dev|exec|atime)|size=[0-9]+[kmgKMG%]?|mode=[0-7]{3,4}|(?:uid|gid)=[0-9]+|nr_(?:inodes|blocks)=[0-9]+[kmgKMG]?)$/;

const tmpfsOptions = {
  read(value, path) {
    const options = typeof value === 'string' ? value.split(',') : [];
    if (options.length > 0 && options.every((option) => TMPFS_OPTION.test(option))) return value;
    throw wrong(
      path,
      "mount options such as 'size=64m,mode=1777', or false for no such mount",
      value,
    );
  },
};

/** Mount point to mount options; `false` takes a default one away. */
const tmpfs = mapOf(
  (point, path) => {
    if (!/^\/[^\0,:]+$/.test(point) || point.split('/').includes('..')) {
      throw wrong(`${path}'s mount point`, 'an absolute path', point);
    }
  },
  { read: (value, path) => (value === false ? false : tmpfsOptions.read(value, path)) },
  "an object such as { '/tmp': 'size=64m' }",
);

// The names that Docker and Podman know (github.com/docker/go-units, ulimit.go).
const ULIMITS =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  );

/** What the pool's own processes in a container can't do without; of the others any number will do. */
const LEAST = { fsize: 64 * KiB, nofile: 32 };

/** A limit as (soft, hard), from one number for both or from `{ soft, hard }`. */
const softAndHard = {
  read(value, path, name) {
    const limit = whole(LEAST[name] ?? 0, Number.MAX_SAFE_INTEGER, { none: true });
    if (!isRecord(value)) {
      const both = limit.read(value, path);
      return [both, both];
    }
    checkNames(value, path, ['soft', 'hard']);
    const soft = limit.read(value.soft, `${path}.soft`);
    const hard = limit.read(value.hard, `${path}.hard`);
    if (soft > hard) throw wrong(`${path}.soft`, `at most the hard limit, ${hard}`, soft);
    return [soft, hard];
  },
};

const ulimits = mapOf(
  (name, path) => {
    if (!ULIMITS.includes(name))
      throw invalid(`${path}.${name} is no limit; known: ${ULIMITS.join(', ')}`);
  },
  softAndHard,
  'an object such as { nofile: 1024 }',
);

/** The labels by which a pool knows its own containers. */
const OWN_LABELS = 'scientist-pool.';

const labels = mapOf(
  (name, path) => {
    if (name === '' || name.includes('\0')) throw wrong(`${path}'s name`, 'text without NUL', name);
    if (name.startsWith(OWN_LABELS)) {
      throw invalid(
        `${path}[${show(name)}] is taken: the pool's own labels begin with ${OWN_LABELS}`,
      );
    }
  },
  text(/^[^\0]*$/, 'text without NUL'),
  'an object of labels, each a text',
);

/** `'strict'`, `'engine'`, or a seccomp profile as JSON text, from text or an object. */
const seccompProfile = {
  read(value, path) {
    if (value === 'strict' || value === 'engine') return value;
    if (value === 'unconfined') {
      throw invalid(
        `${path} may not be 'unconfined'; give a profile that allows what the scripts need`,
      );
    }
    const within = (key, part) => {
      checkText(key, path);
      return typeof part === 'string' ? checkText(part, path) : part;
    };
    try {
      // There and back also for an object: what JSON can't hold is no profile.
      const profile = JSON.parse(typeof value === 'string' ? value : JSON.stringify(value), within);
      if (isRecord(profile) && typeof profile.defaultAction === 'string') {
        return JSON.stringify(profile);
      }
    } catch (error) {
      if (error instanceof PoolError) throw error;
      // Not JSON: as wrong as JSON that is no profile.
    }
    throw wrong(
      path,
      "'strict', 'engine', or a seccomp profile (an object or its JSON, with a defaultAction)",
      value,
    );
  },
};

const runtimeName = text(
  /^\/?[A-Za-z0-9][A-Za-z0-9_./-]*$/,
  "the name of a runtime, such as 'runsc', or the path of one",
);

const moduleNames = listOf(
  text(
    /^[\p{ID_Start}_][\p{ID_Continue}]*(?:\.[\p{ID_Start}_][\p{ID_Continue}]*)*$/u,
    'the name of a Python module',
  ),
  "an array of module names such as ['numpy']",
);

/** Reads a record of options by a table of kinds; what isn't given is absent from the answer. */
function readTable(options, table, path) {
  checkNames(options, path, Object.keys(table));
  const read = {};
  for (const name of Object.keys(options)) {
    if (options[name] !== undefined) read[name] = table[name].read(options[name], name);
  }
  return read;
}

module.exports = {
  MiB,
  abortSignal,
  bytes,
  capabilities,
  checkText,
  engineAddress,
  flag,
  flagBySetting,
  imageReference,
  labels,
  listOf,
  mapOf,
  millis,
  moduleNames,
  networkName,
  oneOf,
  orNull,
  rangeOf,
  readTable,
  runtimeName,
  seccompProfile,
  text,
  tmpfs,
  ulimits,
  userName,
  whole,
  words,
};
