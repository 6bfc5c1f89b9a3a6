'use strict';

const kinds = require('./value-kinds');
const { checkNames, isRecord } = require('./unknown-names');
const { invalid, wrongType } = require('../errors');

// What is wrong with a secret is said without showing anything of it.

const PLACES = ['header', 'query', 'body'];

const hosts = kinds.listOf(kinds.words, "an array of hosts such as ['api.github.com']");
const places = kinds.listOf(kinds.oneOf(...PLACES), "an array such as ['header', 'query', 'body']");

/** At least one of a list. */
function some(kind, value, path) {
  const list = kind.read(value, path);
  if (list.length === 0) throw invalid(`${path} must not be empty`);
  return list;
}

function readSecret(value, path) {
  if (!isRecord(value)) {
    throw wrongType(path, "an object such as { value, hosts: ['api.github.com'] }", value);
  }
  checkNames(value, path, ['value', 'hosts', 'in']);
  if (typeof value.value !== 'string') throw wrongType(`${path}.value`, 'text', value.value);
  return {
    value: kinds.checkText(value.value, `${path}.value`),
    hosts: some(hosts, value.hosts, `${path}.hosts`),
    in: value.in === undefined ? ['header'] : some(places, value.in, `${path}.in`),
  };
}

/** Name of a variable → value, and where it may go. `crates/egress` judges hosts and values. */
const secrets = {
  read(value, path) {
    if (!isRecord(value)) {
      throw wrongType(path, 'an object such as { GITHUB_TOKEN: { value, hosts } }', value);
    }
    for (const name of Object.keys(value)) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw invalid(`${path} has a name that is none of a variable: letters, digits and _`);
      }
    }
    const entries = Object.keys(value).map((name) => [
      name,
      readSecret(value[name], `${path}.${name}`),
    ]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  },
};

module.exports = { secrets };
