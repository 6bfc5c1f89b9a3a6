'use strict';

// The tools for frameworks of agents, in the frameworks themselves: models that say what the test has them say,
// and real containers.

const http = require('node:http');
const { once } = require('node:events');
const { json } = require('node:stream/consumers');

const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

const { PROGRAM } = require('../support/cli');
const { IMAGE, Pools, outside } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

/** One pixel. */
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const DRAWS = {
  code: `import base64; open("plot.png", "wb").write(base64.b64decode("${PIXEL}")); print(open("in.txt").read())`,
  files: [{ path: 'in.txt', content: 'given' }],
};
const FAILS = { code: 'raise ValueError("bad")' };
const SAID = expect.stringMatching(/^stdout:\ngiven\n\nFiles: plot\.png \(\d+ bytes\)$/);
const FAILED = expect.stringMatching(/ValueError: bad\n\nThe code ended with exit code 1\.$/);

/** A server that answers each request with the next of `replies`, and has what came in `requests`. */
async function scripted(replies) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    requests.push(await json(request));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(replies[requests.length - 1]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => server.closeAllConnections() ?? server.close();
  return { requests, url: `http://127.0.0.1:${server.address().port}`, close };
}

describe('the Vercel AI SDK', () => {
  test('a model calls the tool, and sees text and picture', async () => {
    const { generateText, stepCountIs } = require('ai');
    const { MockLanguageModelV3 } = require('ai/test');
    const { pythonTool } = require('scientist-pool/ai');
    const usage = { inputTokens: {}, outputTokens: {} };
    const call = {
      ...{ type: 'tool-call', toolCallId: '1', toolName: 'python', input: JSON.stringify(DRAWS) },
    };
    const replies = [
      { content: [call], finishReason: { unified: 'tool-calls' }, usage, warnings: [] },
      {
        content: [{ type: 'text', text: 'done' }],
        finishReason: { unified: 'stop' },
        usage,
        warnings: [],
      },
    ];
    const model = new MockLanguageModelV3({ doGenerate: async () => replies.shift() });
    const { text } = await generateText({
      ...{ model, prompt: 'draw', stopWhen: stepCountIs(2) },
      tools: { python: pythonTool(pools.make()) },
    });
    expect(text).toBe('done');
    const [{ output }] = model.doGenerateCalls[1].prompt.at(-1).content;
    expect(output.value).toMatchObject([
      { type: 'text', text: SAID },
      { mediaType: 'image/png', data: PIXEL },
    ]);
  });
});

describe('LangChain.js', () => {
  const { pythonTool } = require('scientist-pool/langchain');
  const call = (args) => ({ type: 'tool_call', id: '1', name: 'run_python', args });

  test('a call comes back as a message with the picture, and the files as its artifact', async () => {
    const message = await pythonTool(pools.make()).invoke(call(DRAWS));
    expect(message.content).toMatchObject([
      { type: 'text', text: SAID },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } },
    ]);
    expect(message.artifact.files['plot.png'].toString('base64')).toBe(PIXEL);
  });

  test('a failure is what the code printed', async () => {
    const { content } = await pythonTool(pools.make()).invoke(call(FAILS));
    expect(content).toEqual(FAILED);
  });

  test('an aborted call ends its container', async () => {
    const pool = pools.make();
    const tool = pythonTool(pool);
    const aborted = new AbortController();
    const destroyed = once(pool, 'destroyed');
    pool.once('acquired', () => aborted.abort(new Error('enough')));
    const loop = tool.invoke({ code: 'while True: pass' }, { signal: aborted.signal });
    await expect(loop).rejects.toThrow();
    // The framework has answered by then.
    const [{ id }] = await destroyed;
    expect(pool.seen).toContain(id);
  });
});

describe("Anthropic's SDK", () => {
  const { pythonTool } = require('scientist-pool/anthropic');

  test('its tool runner has a model call the tool, and see text and picture', async () => {
    const Anthropic = require('@anthropic-ai/sdk');
    const message = (content, stop_reason) => ({
      ...{ id: 'm', type: 'message', role: 'assistant', model: 'm', content, stop_reason },
      usage: { input_tokens: 1, output_tokens: 1 },
    });
    const use = { type: 'tool_use', id: 't', name: 'run_python', input: DRAWS };
    const server = await scripted([
      message([use], 'tool_use'),
      message([{ type: 'text', text: 'done' }], 'end_turn'),
    ]);
    try {
      const client = new Anthropic({ apiKey: 'none', baseURL: server.url, maxRetries: 0 });
      const final = await client.beta.messages.toolRunner({
        ...{ model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'draw' }] },
        tools: [pythonTool(pools.make()).runnable],
      });
      expect(final.content).toMatchObject([{ text: 'done' }]);
      const [{ content }] = server.requests[1].messages.at(-1).content;
      expect(content).toMatchObject([
        { type: 'text', text: SAID },
        { type: 'image', source: { media_type: 'image/png', data: PIXEL } },
      ]);
    } finally {
      server.close();
    }
  });

  test('an answer to a call says that it failed', async () => {
    const answer = await pythonTool(pools.make()).answer({ id: 't', input: FAILS });
    expect(answer).toMatchObject({ tool_use_id: 't', is_error: true, content: [{ text: FAILED }] });
  });
});

describe("OpenAI's SDK", () => {
  const { pythonTool } = require('scientist-pool/openai');

  test('a response calls the tool, and the next one sees text and picture', async () => {
    const { OpenAI } = require('openai');
    const call = {
      ...{ type: 'function_call', call_id: 'c', name: 'run_python' },
      arguments: JSON.stringify(DRAWS),
    };
    const server = await scripted([
      { id: 'r', output: [call] },
      { id: 's', output: [] },
    ]);
    try {
      const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 });
      const python = pythonTool(pools.make());
      const tools = [python.definition];
      const { output } = await client.responses.create({ model: 'm', tools, input: 'draw' });
      const answer = await python.answer(output[0]);
      await client.responses.create({ model: 'm', tools, input: [...output, answer] });
      expect(server.requests[1].input[1]).toMatchObject({
        ...{ type: 'function_call_output', call_id: 'c' },
        output: [
          { type: 'input_text', text: SAID },
          { type: 'input_image', image_url: `data:image/png;base64,${PIXEL}` },
        ],
      });
    } finally {
      server.close();
    }
  });

  test('a chat completion has an answer of text', async () => {
    const call = { id: 'c', function: { name: 'run_python', arguments: JSON.stringify(FAILS) } };
    const answer = await pythonTool(pools.make()).chatAnswer(call);
    expect(answer).toEqual({ role: 'tool', tool_call_id: 'c', content: FAILED });
  });

  test('arguments that are no JSON are told to the model', async () => {
    const call = { id: 'c', function: { name: 'run_python', arguments: '{"code": ' } };
    const { content } = await pythonTool(pools.make()).chatAnswer(call);
    expect(content).toMatch(/^The code did not run: /);
  });
});

describe('npx scientist-pool mcp', () => {
  let client;
  beforeAll(async () => {
    client = new Client({ name: 'test', version: '1' });
    const { PATH, HOME, TMPDIR = '/tmp' } = process.env;
    const env = { PATH, HOME, TMPDIR, ...outside().env };
    const args = [PROGRAM, 'mcp', '--image', outside().image(IMAGE), '--pool-size', '1'];
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env }));
  });
  afterAll(() => client?.close());

  const call = (input, options) =>
    client.callTool({ name: 'run_python', arguments: input }, undefined, options);

  test('has one tool, which says what it takes', async () => {
    const { tools } = await client.listTools();
    expect(tools).toMatchObject([{ name: 'run_python', inputSchema: { required: ['code'] } }]);
  });

  test('answers with text and pictures', async () => {
    expect(await call(DRAWS)).toMatchObject({
      isError: false,
      content: [
        { type: 'text', text: SAID },
        { type: 'image', mimeType: 'image/png', data: PIXEL },
      ],
    });
  });

  test('gives other files as resources', async () => {
    const { content } = await call({ code: 'open("a b.csv", "w").write("1,2")' });
    const resource = { uri: 'file:///a%20b.csv', blob: Buffer.from('1,2').toString('base64') };
    expect(content[1]).toEqual({ type: 'resource', resource });
  });

  test('says what failed', async () => {
    expect(await call(FAILS)).toMatchObject({ isError: true, content: [{ text: FAILED }] });
  });

  test('tells a client that asks for it how far it is', async () => {
    const steps = [];
    const { transport } = client;
    // The client itself passes on none that comes in one piece with the answer.
    const take = transport.onmessage;
    transport.onmessage = (message, extra) => {
      if (message.method === 'notifications/progress') steps.push(message.params.message);
      take(message, extra);
    };
    try {
      const code = 'for n in range(3): print(n, flush=True)';
      await call({ code }, { onprogress: () => {} });
    } finally {
      transport.onmessage = take;
    }
    expect(steps.join('\n')).toBe('0\n1\n2');
  });

  test('a call that is given up leaves the next one its place', async () => {
    const given = new AbortController();
    const begun = call(
      { code: 'print("on", flush=True)\nwhile True: pass' },
      { signal: given.signal, onprogress: () => given.abort() },
    );
    await expect(begun).rejects.toThrow();
    expect(await call({ code: 'print(1)' })).toMatchObject({ content: [{ text: 'stdout:\n1' }] });
  });

  test('a tool that is not there is an error of the protocol', async () => {
    await expect(client.callTool({ name: 'other', arguments: {} })).rejects.toThrow('other');
  });
});
