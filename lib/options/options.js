'use strict';

const { isDeepStrictEqual } = require('node:util');

const { invalid, show } = require('../errors');
const { checkMounts, mounts } = require('./mounts');
const kinds = require('./value-kinds');
const { ANY_CLUSTER, encodeKubernetes, kubernetes } = require('./kubernetes');
const { encodeNetwork, network } = require('./network');
const { checkPackages, encodePackages, indexUrl, packages, requirements } = require('./packages');
const { secrets } = require('./secrets');
const { checkNames } = require('./unknown-names');

const { MiB, bytes, flag, millis, orNull, rangeOf, whole } = kinds;

/** How the native side spells "no limit" where it has no word of its own for it. */
const ALL = Number.MAX_SAFE_INTEGER;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The engines there are, by name. */
const ENGINES = ['auto', 'docker', 'local', 'kubernetes'];

/** Each limit without end as the engine spells it: -1. */
function encodeUlimits(ulimits) {
  const encode = (limit) => (limit === Infinity ? -1 : limit);
  return Object.fromEntries(
    Object.entries(ulimits).map(([name, pair]) => [name, pair.map(encode)]),
  );
}

/** A pool size as two bounds. */
function boundsOf(poolSize) {
  return typeof poolSize === 'number' ? { min: poolSize, max: poolSize } : poolSize;
}

/**
 * Every option, once. For each:
 *
 * - `kind`: what values it takes (`kinds.js`);
 * - `default`: its value when it isn't given, in the kind's normal form; `legacy`: the same under
 *   `hardening: 'legacy'`, where that differs; `null`: unset, and not a value that can be given;
 * - `env`: the environment variable that sets it when the option isn't given;
 * - `merge`: names given are added to the default's, instead of taking its place;
 * - `to`: the field of the native configuration (`src/config.rs`) it becomes, and `encode` how;
 *   an option without `to` is read on this side only, or with others (`packages.js`);
 * - `hidden`: its value is shown to nobody;
 * - `secures`: it says what a container may do, and is part of `container.security`.
 */
const OPTIONS = {
  poolSize: {
    kind: rangeOf(whole(0, 10_000, { unit: 'containers' })),
    default: 2,
    env: 'CONTAINER_POOL_SIZE',
    to: 'pool.poolSize',
    encode: boundsOf,
  },
  max: {
    kind: whole(1, ALL, { unit: 'containers', none: true }),
    default: null,
    env: 'CONTAINER_POOL_MAX',
    to: 'pool.max',
    encode: (max) => (max === Infinity ? ALL : max),
  },
  maxWaiting: {
    kind: whole(0, ALL, { unit: 'callers in line', none: true }),
    default: Infinity,
    to: 'pool.maxWaiting',
    encode: (count) => (count === Infinity ? null : count),
  },
  acquireTimeout: { kind: millis({ none: true }), default: 30 * SECOND },
  createTimeout: {
    kind: millis({ none: false }),
    default: MINUTE,
    to: 'pool.createTimeoutMs',
  },
  execTimeout: { kind: millis({ none: true }), default: 10 * MINUTE },
  cpuTime: { kind: millis({ none: true }), default: 0, secures: true },
  maxOutputBytes: { kind: bytes(0, { none: true }), default: 10 * MiB },
  maxLifetime: { kind: millis({ none: true }), default: HOUR, to: 'pool.maxLifetimeMs' },
  maxIdle: { kind: millis({ none: true }), default: 0, to: 'pool.maxIdleMs' },
  leakTimeout: { kind: millis({ none: true }), default: 15 * MINUTE },
  createConcurrency: { kind: whole(1, 64), default: 3, to: 'pool.createConcurrency' },
  destroyConcurrency: { kind: whole(1, 64), default: 4, to: 'pool.destroyConcurrency' },

  image: {
    kind: kinds.imageReference,
    default: 'python:3.9-slim',
    env: 'CONTAINER_POOL_IMAGE',
    to: 'container.image',
  },
  pull: {
    kind: kinds.oneOf('missing', 'always', 'never'),
    default: 'missing',
    to: 'container.pull',
  },
  pullTimeout: {
    kind: millis({ none: false }),
    default: 10 * MINUTE,
    to: 'container.pullTimeoutMs',
  },
  packages: { kind: packages, default: [] },
  requirements: { kind: requirements, default: null },
  indexUrl: {
    kind: indexUrl,
    default: 'https://pypi.org/simple',
    env: 'PIP_INDEX_URL',
    hidden: true,
  },
  onlyBinary: { kind: flag, default: true },
  memory: {
    // Less than 6 MiB is refused by Docker itself.
    kind: bytes(6 * MiB),
    default: 128 * MiB,
    env: 'CONTAINER_MEMORY',
    to: 'container.memory',
    secures: true,
  },
  swap: {
    kind: bytes(0, { none: true }),
    default: 0,
    legacy: null,
    to: 'container.swap',
    encode: (size) => (size === Infinity ? -1 : size),
    secures: true,
  },
  pidsLimit: {
    kind: whole(1, ALL, { unit: 'processes and threads', none: true }),
    default: 50,
    env: 'CONTAINER_PIDS_LIMIT',
    to: 'container.pidsLimit',
    encode: (count) => (count === Infinity ? -1 : count),
    secures: true,
  },
  cpuQuota: {
    // The kernel's own bounds of the CFS quota and period.
    kind: whole(1000, ALL, { unit: 'microseconds', none: true }),
    default: 50_000,
    env: 'CONTAINER_CPU_QUOTA',
    to: 'container.cpuQuota',
    encode: (quota) => (quota === Infinity ? 0 : quota),
    secures: true,
  },
  cpuPeriod: {
    kind: whole(1000, 1_000_000, { unit: 'microseconds' }),
    default: 100_000,
    to: 'container.cpuPeriod',
    secures: true,
  },

  hardening: { kind: kinds.oneOf('default', 'legacy'), default: 'default', secures: true },
  network: {
    kind: network,
    default: 'none',
    to: 'container.network',
    encode: encodeNetwork,
    secures: true,
  },
  secrets: { kind: secrets, default: {}, to: 'egress.secrets', hidden: true },
  user: {
    kind: orNull(kinds.userName),
    default: '65534:65534',
    legacy: null,
    to: 'container.user',
    secures: true,
  },
  readonlyRootfs: {
    kind: flag,
    default: true,
    legacy: false,
    to: 'container.readonlyRootfs',
    secures: true,
  },
  noNewPrivileges: {
    kind: flag,
    default: true,
    legacy: false,
    to: 'container.noNewPrivileges',
    secures: true,
  },
  capAdd: {
    kind: kinds.capabilities,
    default: [],
    legacy: null,
    to: 'container.capAdd',
    secures: true,
  },
  tmpfs: {
    kind: kinds.tmpfs,
    default: { '/tmp': 'rw,nosuid,nodev,exec,size=64m,mode=1777' },
    legacy: {},
    merge: true,
    to: 'container.tmpfs',
    encode: (mounts) => Object.fromEntries(Object.entries(mounts).filter(([, value]) => value)),
    secures: true,
  },
  mounts: { kind: mounts, default: [], to: 'container.mounts', secures: true },
  shmSize: {
    kind: bytes(4096),
    default: 16 * MiB,
    legacy: null,
    to: 'container.shmSize',
    secures: true,
  },
  ulimits: {
    kind: kinds.ulimits,
    default: { core: [0, 0], fsize: [64 * MiB, 64 * MiB], nofile: [1024, 1024] },
    legacy: {},
    merge: true,
    to: 'container.ulimits',
    encode: encodeUlimits,
    secures: true,
  },
  seccomp: {
    kind: kinds.seccompProfile,
    default: 'strict',
    legacy: 'engine',
    to: 'container.seccomp',
    secures: true,
  },
  runtime: { kind: kinds.runtimeName, default: null, to: 'container.runtime', secures: true },
  log: { kind: flag, default: false, legacy: true, to: 'container.log', secures: true },
  labels: { kind: kinds.labels, default: {}, to: 'container.labels' },
  preload: { kind: kinds.moduleNames, default: [], to: 'container.preload' },
  template: { kind: flag, default: true, to: 'container.template' },

  'engine.kind': {
    kind: kinds.oneOf(...ENGINES),
    default: 'auto',
    env: 'CONTAINER_ENGINE',
    to: 'engine.kind',
  },
  'engine.host': {
    kind: kinds.engineAddress,
    default: null,
    env: 'DOCKER_HOST',
    to: 'engine.host',
  },
  'engine.certPath': {
    kind: kinds.words,
    default: null,
    env: 'DOCKER_CERT_PATH',
    to: 'engine.certPath',
  },
  'engine.tlsVerify': {
    kind: kinds.flagBySetting,
    default: null,
    env: 'DOCKER_TLS_VERIFY',
    to: 'engine.tlsVerify',
  },
  'engine.timeout': { kind: millis({ none: false }), default: 30 * SECOND, to: 'engine.timeoutMs' },

  kubernetes: {
    kind: kubernetes,
    default: ANY_CLUSTER,
    to: 'engine.kubernetes',
    encode: encodeKubernetes,
  },

  handleSignals: { kind: flag, default: false },
};

const GROUP = 'engine.';
const GROUP_NAMES = Object.keys(OPTIONS)
  .filter((path) => path.startsWith(GROUP))
  .map((path) => path.slice(GROUP.length));

/** The names a user may write, `engine` standing for its group. */
const OPTION_NAMES = [...Object.keys(OPTIONS).filter((path) => !path.startsWith(GROUP)), 'engine'];

/** The options as given, flat: path to value. Text stands for `{ kind: name }` or `{ host: address }`. */
function flatten(options) {
  checkNames(options, 'options', OPTION_NAMES);
  const { engine, ...given } = options;
  if (typeof engine === 'string') {
    given[ENGINES.includes(engine) ? 'engine.kind' : 'engine.host'] = engine;
  } else if (engine !== undefined) {
    checkNames(engine, 'engine', GROUP_NAMES);
    for (const name of Object.keys(engine)) given[GROUP + name] = engine[name];
  }
  // An address given is Docker's, whatever the environment says.
  if (given['engine.host'] !== undefined) given['engine.kind'] ??= 'docker';
  return given;
}

/** One option's value: as given, else from its environment variable, else its default. */
function choose(path, row, given, env, legacy) {
  const standard = legacy && 'legacy' in row ? row.legacy : row.default;
  let value;
  if (given[path] !== undefined) {
    value = row.kind.read(given[path], path);
  } else if (row.env !== undefined && env[row.env]) {
    // Set but empty counts as not set: it is what `VARIABLE=` in a compose or env file gives.
    value = row.kind.parse(env[row.env], row.env);
  } else {
    return standard;
  }
  return row.merge ? { ...standard, ...value } : value;
}

/**
 * Completes and checks the options of a pool.
 *
 * @param {object} options as the user gave them
 * @param {Record<string, string | undefined>} env
 * @returns {Record<string, unknown>} path → value, every option there is
 * @throws {PoolError} `INVALID_ARGUMENT` with the option's path, or its environment variable
 */
function resolveOptions(options = {}, env = process.env) {
  const given = flatten(options);
  const hardening = choose('hardening', OPTIONS.hardening, given, env, false);
  const settings = {};
  for (const [path, row] of Object.entries(OPTIONS)) {
    settings[path] = choose(path, row, given, env, hardening === 'legacy');
  }
  const asked = given.poolSize !== undefined || Boolean(env[OPTIONS.poolSize.env]);
  // Nobody asked for the default size: it gives way to a smaller maximum.
  if (!asked && settings.max !== null)
    settings.poolSize = Math.min(settings.poolSize, settings.max);
  checkPoolSize(settings.poolSize, settings.max);
  checkMounts(settings);
  checkPackages(settings);
  checkEngine(settings['engine.kind'], given);
  if (Object.keys(settings.secrets).length > 0 && typeof settings.network === 'string') {
    throw invalid(
      `secrets take network: { allow: […] } with their hosts in it; got ${show(settings.network)}`,
    );
  }
  return settings;
}

/**
 * What is given for one engine is not for another. An address from the environment is for programs that use
 * Docker, and no engine but that has one.
 */
function checkEngine(kind, given) {
  const address = given['engine.host'];
  if (address !== undefined && (kind === 'local' || kind === 'kubernetes')) {
    throw invalid(`engine.host is Docker's, and engine.kind is '${kind}'; got ${show(address)}`);
  }
  if (given.kubernetes !== undefined && kind !== 'kubernetes') {
    throw invalid(`kubernetes is for the engine 'kubernetes', and engine.kind is '${kind}'`);
  }
}

function checkPoolSize(poolSize, max) {
  const most = boundsOf(poolSize).max;
  if (max !== null && most > max) {
    const path = typeof poolSize === 'number' ? 'poolSize' : 'poolSize.max';
    throw invalid(`${path} must be at most max, which is ${max}; got ${most}`);
  }
}

/** A new size for a pool with these settings, checked, as two bounds. */
function readPoolSize(value, settings) {
  const poolSize = OPTIONS.poolSize.kind.read(value, 'poolSize');
  checkPoolSize(poolSize, settings.max);
  return boundsOf(poolSize);
}

/** The settings as the native side reads them: the `Config` of `src/config.rs`, as JSON text. */
function nativeConfig(settings) {
  const config = { pool: {}, container: {}, egress: {}, engine: {} };
  for (const [path, row] of Object.entries(OPTIONS)) {
    if (row.to === undefined) continue;
    const [group, field] = row.to.split('.');
    const value = settings[path];
    config[group][field] = row.encode === undefined || value === null ? value : row.encode(value);
  }
  // A user that is not the image's own has no home in it: /tmp is where it may write.
  config.packages = encodePackages(settings);
  config.container.home = settings.user === null ? null : '/tmp';
  return JSON.stringify(config);
}

/** The options in which two settings differ, each with both values, for a message. */
function differences(existing, asked) {
  return Object.keys(OPTIONS)
    .filter((path) => !isDeepStrictEqual(existing[path], asked[path]))
    .map((path) =>
      OPTIONS[path].hidden
        ? `${path} are others`
        : `${path} is ${show(existing[path])}, not ${show(asked[path])}`,
    );
}

module.exports = {
  OPTIONS,
  OPTION_NAMES,
  differences,
  nativeConfig,
  readPoolSize,
  resolveOptions,
};
