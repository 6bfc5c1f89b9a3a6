'use strict';

// The environment and the arguments of a call come as variables, as JSON; the last line of what the
// program prints is its answer, as JSON. The rest of it is what the code printed itself.
const HEAD = `
import json, os
env, args = json.loads(os.environ["TOOL_ENV"]), json.loads(os.environ["TOOL_ARGS"])
`;

/** A program that calls a function of some Python code. */
function wrap(source, call) {
  return `${HEAD}\n${source}\n\nprint()\nprint(json.dumps({"env": env, "result": ${call}}))\n`;
}

/** What the program has answered. */
function unwrap({ stdout, stderr, exitCode }) {
  if (exitCode !== 0) throw new Error(stderr.split('\n').at(-1));
  return JSON.parse(stdout.split('\n').at(-1));
}

module.exports = { unwrap, wrap };
