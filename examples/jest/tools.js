'use strict';

const ContainerPoolManager = require('scientist-pool');

/** Calls a tool with an input, both JSON, in a container of its own. */
async function callTool({ source, timeout = 5_000 }, input) {
  const container = await ContainerPoolManager.getInstance().acquire();
  try {
    const env = { TOOL_INPUT: JSON.stringify(input) };
    const { stdout, stderr, exitCode, reason } = await container.execute(source, env, [], {
      timeout,
    });
    if (reason !== 'exit') throw new Error(`the tool was ended: ${reason}`);
    if (exitCode !== 0) throw new Error(`the tool failed: ${stderr.split('\n').at(-1)}`);
    return JSON.parse(stdout);
  } finally {
    await container.destroy();
  }
}

/** Calls a tool again where its container was lost: for tools that may run twice. */
async function callToolSafely(tool, input, attempts = 3) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await callTool(tool, input);
    } catch (error) {
      if (error.code !== 'CONTAINER_LOST' || attempt === attempts) throw error;
    }
  }
}

module.exports = { callTool, callToolSafely };
