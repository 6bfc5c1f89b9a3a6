'use strict';

// The backend's own tests. They know nothing of how its pool works: they are the same before and after
// the migration. Where TEST_ENGINE names an engine they run on that, else on a fake one.

jest.mock('./models', () => {
  const collection = () => ({ findOne: jest.fn(), find: jest.fn() });
  return { Tool: collection(), Hook: collection(), Goal: collection() };
});

const { once } = require('node:events');

const { FakeEngine } = require('scientist-pool/testing');

const { createApp } = require('./app');
const models = require('./models');
const { shutdown } = require('./orchestrator');

const TOOLS = {
  deposit:
    'def execute(env, args):\n  env["balance"] = env.get("balance", 0) + args["amount"]\n  return env["balance"]',
  broken: 'def execute(env, args):\n  return 1 / 0',
};
const HOOKS = {
  count: { when: 'before', source: 'env["calls"] = env.get("calls", 0) + 1' },
  stamp: { when: 'after', source: 'env["stamped"] = True' },
};
const GOALS = { rich: 'def check(env):\n  return env["balance"] >= 100' };

/** What these programs do, for the engine that can't run Python. */
function perform({ script, env: { TOOL_ENV, TOOL_ARGS } }) {
  const env = JSON.parse(TOOL_ENV);
  const args = JSON.parse(TOOL_ARGS);
  const answer = (result) => ({ stdout: `\n${JSON.stringify({ env, result })}\n` });
  if (script.includes(TOOLS.broken)) {
    return { stderr: 'Traceback …\nZeroDivisionError: division by zero', exitCode: 1 };
  }
  if (script.includes(TOOLS.deposit)) {
    env.balance = (env.balance ?? 0) + args.amount;
    return answer(env.balance);
  }
  if (script.includes(HOOKS.count.source)) env.calls = (env.calls ?? 0) + 1;
  if (script.includes(HOOKS.stamp.source)) env.stamped = true;
  return answer(script.includes(GOALS.rich) ? env.balance >= 100 : null);
}

let engine = null;
let server;

beforeAll(async () => {
  if (process.env.TEST_ENGINE) {
    process.env.DOCKER_HOST = process.env.TEST_ENGINE;
  } else {
    engine = (await FakeEngine.start()).install();
    engine.run = perform;
  }
  server = createApp().listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  const named =
    (documents) =>
    async ({ name }) =>
      Object.hasOwn(documents, name) ? { name, source: documents[name] } : null;
  models.Tool.findOne.mockImplementation(named(TOOLS));
  models.Goal.findOne.mockImplementation(named(GOALS));
  models.Hook.find.mockResolvedValue([]);
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await shutdown();
  await engine?.assertEmpty();
  await engine?.close();
});

async function post(path, body) {
  const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Connection: 'close' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

test('a tool works on the environment, and gives its result', async () => {
  const call = { env: { balance: 5 }, args: { amount: 20 } };
  expect(await post('/tools/deposit', call)).toEqual({
    status: 200,
    body: { result: 25, env: { balance: 25 } },
  });
});

test('hooks run before and after it', async () => {
  models.Hook.find.mockImplementation(async ({ when }) =>
    Object.values(HOOKS).filter((hook) => hook.when === when),
  );
  const { body } = await post('/tools/deposit', { args: { amount: 1 } });
  expect(body).toEqual({ result: 1, env: { calls: 1, balance: 1, stamped: true } });
});

test('a tool that fails is an error with its last words', async () => {
  expect(await post('/tools/broken', {})).toEqual({
    status: 500,
    body: { error: 'ZeroDivisionError: division by zero' },
  });
});

test('a tool that there is not is 404, and takes no container', async () => {
  expect((await post('/tools/none', {})).status).toBe(404);
});

test('tools are called until the goal is reached', async () => {
  const deposit = { tool: 'deposit', args: { amount: 60 } };
  expect((await post('/goals/rich', { calls: [deposit, deposit, deposit] })).body).toEqual({
    reached: true,
    results: [60, 120],
    env: { balance: 120 },
  });
});

test('calls side by side get a container each', async () => {
  const amounts = [1, 2, 3, 4, 5];
  const answers = await Promise.all(
    amounts.map((amount) => post('/tools/deposit', { args: { amount } })),
  );
  expect(answers.map(({ body }) => body.result)).toEqual(amounts);
});
