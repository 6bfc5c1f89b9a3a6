'use strict';

const { OPTIONS } = require('../options/options');

/** The options that say what a container may do, as the options are named. */
const SECURITY_OPTIONS = Object.keys(OPTIONS).filter((path) => OPTIONS[path].secures);

function freeze(value) {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/**
 * What the engine was told of a pool's containers, and what of it it does not honour.
 *
 * @param {Record<string, unknown>} settings
 * @param {object[]} unhonoured as the engine last said: `{ name, option, detail }`
 */
function securityOf(settings, unhonoured) {
  const told = SECURITY_OPTIONS.map((name) => [name, structuredClone(settings[name])]);
  return freeze({ ...Object.fromEntries(told), unhonoured });
}

module.exports = { securityOf };
