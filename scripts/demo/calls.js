'use strict';

const fs = require('node:fs');
const path = require('node:path');

const read = (...names) => fs.readFileSync(path.join(__dirname, ...names), 'utf8');

const csv = read('data', 'planets.csv');
const wrapper = read('wrapper.py');

/**
 * The tool calls of the demo: each a tool with its arguments, and the `reason` and `exitCode` it must
 * end with; `success` is what the tool's own answer must say, for those that get to answer.
 */
const calls = [
  {
    tool: 'word_frequencies',
    args: { text: read('data', 'entangled-bank.txt'), top: 3 },
    success: true,
  },
  { tool: 'csv_statistics', args: { csv, column: 'radius' }, success: true },
  {
    tool: 'sqlite_query',
    args: { csv, query: 'select name, moons from data order by cast(moons as int) desc limit 2' },
    success: true,
  },
  { tool: 'prime_sieve', args: { limit: 200_000 }, success: true },
  { tool: 'unit_conversion', args: { value: 3, from: 'km', to: 'ft' }, success: true },
  { tool: 'unit_conversion', args: { value: 3, from: 'km', to: 'furlong' }, success: false },
  { tool: 'noisy_report', args: { measurements: [3.1, null, 2.9, null] }, success: true },
  { tool: 'web_request', args: { url: 'http://192.0.2.1/' }, success: false },
  { tool: 'early_exit', args: { code: 3 }, exitCode: 3 },
  { tool: 'memory_hog', args: { mebibytes: 512 }, reason: 'oom', exitCode: 137 },
  { tool: 'endless_search', args: { start: 27 }, timeout: 1000, reason: 'timeout', exitCode: 137 },
].map((call) => ({
  reason: 'exit',
  exitCode: 0,
  timeout: 30_000,
  ...call,
  script: wrapper,
  env: {
    TOOL_ENV: JSON.stringify({ agent: 'demo' }),
    TOOL_ARGS: JSON.stringify(call.args),
    TOOL_CODE: read('tools', `${call.tool}.py`),
  },
}));

module.exports = { calls };
