'use strict';

const kinds = require('./value-kinds');
const { wrong } = require('../errors');
const { checkNames, isRecord } = require('./unknown-names');

const { bytes, flag, listOf, mapOf, millis, orNull, whole, words } = kinds;

/** How the native side spells "no limit" of a number. */
const ANY = Number.MAX_SAFE_INTEGER;

/** What the native side reads, and is the one to judge: `crates/egress` knows what an entry may be. */
const entries = listOf(words, "an array of hosts such as ['api.github.com', '*.example.org:443']");

const addresses = mapOf(
  (name, path) => {
    if (name === '') throw wrong(`${path}'s name`, 'the name of a host', name);
  },
  words,
  "an object of addresses such as { 'api.internal': '10.0.0.7' }",
);

/** Certificates, as text or as a file holds them. */
const pem = {
  read(value, path) {
    const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
    if (typeof text === 'string' && text.includes('-----BEGIN CERTIFICATE-----')) return text;
    throw wrong(path, 'certificates in PEM: what such a file holds, not its name', value);
  },
};

const count = whole(1, 100_000, { unit: 'connections' });
const size = bytes(0, { none: true });
const time = millis({ none: false });

/** Each field of `network`, with its value where it isn't given; one without must be given. */
const FIELDS = {
  allow: { kind: entries },
  deny: { kind: entries, default: [] },
  hosts: { kind: addresses, default: {} },
  opaque: { kind: flag, default: false },
  ca: { kind: orNull(pem), default: null },
  resolver: { kind: orNull(words), default: null },
  maxConnections: { kind: count, default: 64 },
  maxSentBytes: { kind: size, default: Infinity },
  maxReceivedBytes: { kind: size, default: Infinity },
  connectTimeout: { kind: time, default: 10_000 },
  idleTimeout: { kind: time, default: 60_000 },
};

/** The fields by which a call narrows its pool's. */
const NARROWING = ['allow', 'deny'];

function readFields(value, path, names) {
  checkNames(value, path, names);
  if (value.allow === undefined) throw wrong(`${path}.allow`, 'an array of hosts', value.allow);
  const read = (name) => {
    const { kind, default: standard } = FIELDS[name];
    return value[name] === undefined ? standard : kind.read(value[name], `${path}.${name}`);
  };
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}

/** The option of a pool: a network of the engine's by its name, or what may be reached by way of a proxy. */
const network = {
  read(value, path) {
    return isRecord(value)
      ? readFields(value, path, Object.keys(FIELDS))
      : kinds.networkName.read(value, path);
  },
};

/** The option of a call: what of the pool's it may reach. */
const narrowed = {
  read(value, path) {
    if (value === 'none') return { allow: [], deny: [] };
    if (!isRecord(value)) throw wrong(path, "'none' or an object such as { allow: [] }", value);
    return readFields(value, path, NARROWING);
  },
};

/** As `src/config.rs` has it. */
function encodeNetwork(value) {
  if (typeof value === 'string') return value;
  const limit = (most) => (most === Infinity ? ANY : most);
  return {
    ...value,
    maxSentBytes: limit(value.maxSentBytes),
    maxReceivedBytes: limit(value.maxReceivedBytes),
  };
}

module.exports = { encodeNetwork, narrowed, network };
