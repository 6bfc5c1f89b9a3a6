'use strict';

const fs = require('node:fs');
const path = require('node:path');

const generated = require('./generated.js');

/**
 * What a line `#: name value` of a script says about running it; the value is JSON.
 *
 * - `args`: its command line arguments
 * - `env`: variables added to its environment
 * - `cold`: true where one of those counts at the start of the interpreter only, so that the warm
 *   interpreter can't run it
 * - `alone`: true where it leaves something behind in its container
 * - `mask`: regular expressions; what they match in the output is not compared
 */
const DEFAULTS = { args: [], env: {}, cold: false, alone: false, mask: [] };
const DIRECTIVE = /^#: (\w+) (.*)$/gm;

/** A case of its own, with all settings. */
function item(name, script, settings = {}) {
  for (const key of Object.keys(settings)) {
    if (!(key in DEFAULTS)) throw new Error(`${name}: what is "${key}"?`);
  }
  return { name, script, ...DEFAULTS, ...settings };
}

function read(topic, file) {
  const script = fs.readFileSync(path.join(__dirname, topic, file), 'utf8');
  const settings = {};
  for (const [, name, value] of script.matchAll(DIRECTIVE)) settings[name] = JSON.parse(value);
  return item(`${topic}/${path.basename(file, '.py')}`, script, settings);
}

function topics() {
  const entries = fs.readdirSync(__dirname, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Every script of the corpus: `{ name, script, args, env, cold, alone, mask }`. */
function corpus() {
  const files = topics().flatMap((topic) =>
    fs.readdirSync(path.join(__dirname, topic)).map((file) => read(topic, file)),
  );
  const others = generated.map(({ name, script, ...settings }) => item(name, script, settings));
  return [...files, ...others].sort((a, b) => (a.name < b.name ? -1 : 1));
}

module.exports = { corpus, item };
