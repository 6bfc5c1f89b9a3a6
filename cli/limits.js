'use strict';

const path = require('node:path');

const { OPTIONS, invalid } = require('../lib');

/** The options of commands that say what a container may use. */
const limitOptions = {
  memory: { type: 'string' },
  cpus: { type: 'string' },
  'pids-limit': { type: 'string' },
  network: { type: 'string' },
  mount: { type: 'string', multiple: true },
  packages: { type: 'string', multiple: true },
  requirements: { type: 'string' },
};

/** The number that an option was given, or `undefined`. */
function number(values, option, unit) {
  const text = values[option];
  if (text === undefined) return undefined;
  const [pattern, what] = unit === 'processors' ? [/^\d+(\.\d+)?$/, 'a'] : [/^\d+$/, 'a whole'];
  if (pattern.test(text)) return Number(text);
  throw invalid(`--${option} must be ${what} number of ${unit}; got ${text}`);
}

/** What `--mount SOURCE:TARGET[:rw]` says. */
function mountOf(text) {
  const [, source, target, mode] = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text) ?? [];
  if (source === undefined) {
    throw invalid(`--mount must be SOURCE:TARGET, and :rw behind it for writing; got ${text}`);
  }
  return { source: path.resolve(source), target, readOnly: mode !== 'rw' };
}

/** The options of the container that the command line asks for. */
function limits(values) {
  const { memory, mount, network, packages, requirements } = values;
  const cpus = number(values, 'cpus', 'processors');
  return {
    ...{ memory, network, mounts: mount?.map(mountOf), packages, requirements },
    cpuQuota: cpus && Math.round(cpus * OPTIONS.cpuPeriod.default),
    pidsLimit: number(values, 'pids-limit', 'processes'),
  };
}

module.exports = { limitOptions, limits, number };
