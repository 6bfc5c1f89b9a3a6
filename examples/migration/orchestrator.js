'use strict';

const ContainerPoolManager = require('./container-pool.service');
const { Goal, Hook, Tool } = require('./models');
const { unwrap, wrap } = require('./wrapper');

/** Runs a program in a container of its own, which is gone afterwards. */
async function execute(program, env, args = {}) {
  const container = await ContainerPoolManager.getInstance().acquire();
  try {
    const variables = { TOOL_ENV: JSON.stringify(env), TOOL_ARGS: JSON.stringify(args) };
    return unwrap(await container.execute(program, variables));
  } finally {
    await container.destroy();
  }
}

/** Runs the hooks of a moment one after the other; each gets the environment that the last one left. */
async function runHooks(when, env) {
  let current = env;
  for (const { source } of await Hook.find({ when })) {
    ({ env: current } = await execute(wrap(source, 'None'), current));
  }
  return current;
}

/** Calls a tool between its hooks; gives its result, and the environment after it. */
async function callTool(name, env, args) {
  const tool = await Tool.findOne({ name });
  if (tool === null) throw Object.assign(new Error(`there is no tool ${name}`), { status: 404 });
  const before = await runHooks('before', env);
  const { env: changed, result } = await execute(
    wrap(tool.source, 'execute(env, args)'),
    before,
    args,
  );
  return { result, env: await runHooks('after', changed) };
}

/** Whether a goal is reached in an environment. */
async function isReached(name, env) {
  const goal = await Goal.findOne({ name });
  if (goal === null) throw Object.assign(new Error(`there is no goal ${name}`), { status: 404 });
  const { result } = await execute(wrap(goal.source, 'check(env)'), env);
  return result === true;
}

/** Calls tools one after the other until the goal is reached. */
async function pursue(name, calls, env = {}) {
  let current = env;
  const results = [];
  for (const { tool, args } of calls) {
    const { result, env: changed } = await callTool(tool, current, args);
    results.push(result);
    current = changed;
    if (await isReached(name, current)) return { reached: true, results, env: current };
  }
  return { reached: false, results, env: current };
}

async function shutdown() {
  await ContainerPoolManager.getInstance().shutdown();
}

module.exports = { callTool, isReached, pursue, shutdown };
