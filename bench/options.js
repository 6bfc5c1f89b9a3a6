'use strict';

const { parseArgs } = require('node:util');

const { SetupError } = require('../harness/cleanup');
const { SIDES } = require('./sides');
const scenarios = require('./scenarios');

const HERE = SIDES.filter((side) => side !== 'local' || process.platform === 'linux');
const NAMES = scenarios.map(({ name }) => name);

const USAGE = `Usage: npm run bench -- [options]

  --n N              samples of each kind (default 200)
  --minutes M        the longest it may take (default 15), but for one round of each scenario; what is cut short
                     says so
  --scenario NAMES   only these, by commas: ${NAMES.join(', ')}
  --sides NAMES      only these, by commas: ${SIDES.join(', ')}
  --image IMAGE      default python:3.9-slim
  --engine ADDRESS   as in DOCKER_HOST; without it an engine is found, or one is started
  --json FILE        also writes all of it, every sample included, as JSON
  --help
`;

/**
 * @param {string[]} argv
 * @returns {{ help: boolean, n: number | null, minutes: number,
 *   scenarios: typeof scenarios, sides: string[], image: string, engine: string | null,
 *   json: string | null }}
 */
function readOptions(argv) {
  const string = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const options = {
    n: string,
    minutes: { ...string, default: '15' },
    scenario: { ...string, default: NAMES.join(',') },
    sides: { ...string, default: HERE.join(',') },
    image: { ...string, default: 'python:3.9-slim' },
    engine: string,
    json: string,
    help: flag,
  };
  let values;
  try {
    ({ values } = parseArgs({ args: argv, options }));
  } catch (error) {
    throw new SetupError(error.message, USAGE);
  }
  const chosen = namesOf('scenario', values.scenario, NAMES);
  return {
    help: values.help,
    n: values.n === undefined ? null : positive('n', values.n, Number.isInteger),
    minutes: positive('minutes', values.minutes, Number.isFinite),
    scenarios: scenarios.filter(({ name }) => chosen.includes(name)),
    sides: namesOf('sides', values.sides, SIDES),
    image: values.image,
    engine: values.engine ?? null,
    json: values.json ?? null,
  };
}

function positive(name, text, isKind) {
  const value = Number(text);
  if (!isKind(value) || value <= 0) {
    throw new SetupError(`--${name} takes a positive number; got ${text}`, USAGE);
  }
  return value;
}

function namesOf(option, text, known) {
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`--${option} takes ${known.join(', ')}; got ${unknown}`, USAGE);
  }
  return known.filter((name) => names.includes(name));
}

module.exports = { USAGE, readOptions };
