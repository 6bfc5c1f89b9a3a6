'use strict';

const { ContainerPoolManager } = require('..');
const { PythonTool } = require('../agents/tool');
const { version } = require('../package.json');
const { FAULT } = require('./codes');
const { containerOptions } = require('./engine');
const { printable } = require('./printable');
const { limitOptions, limits, number } = require('./limits');

const options = {
  ...containerOptions,
  ...limitOptions,
  timeout: { type: 'string' },
  'pool-size': { type: 'string' },
};

const fault = (positionals) =>
  positionals.length > 0 ? `mcp takes no ${positionals[0]}` : undefined;

/** The official SDK, which comes with nothing that other users of this package need. */
function loadSdk() {
  try {
    return {
      ...require('@modelcontextprotocol/sdk/server/index.js'),
      ...require('@modelcontextprotocol/sdk/server/stdio.js'),
      ...require('@modelcontextprotocol/sdk/types.js'),
    };
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return null;
  }
}

/** What a client shows and gives its model. */
function content({ text, pictures, files }) {
  const shown = new Set(pictures.map(({ path }) => path));
  return [
    { type: 'text', text },
    ...pictures.map(({ mediaType, data }) => {
      return { type: 'image', mimeType: mediaType, data: data.toString('base64') };
    }),
    ...Object.entries(files)
      .filter(([name]) => !shown.has(name))
      .map(([name, data]) => {
        const uri = `file:///${name.split('/').map(encodeURIComponent).join('/')}`;
        return { type: 'resource', resource: { uri, blob: data.toString('base64') } };
      }),
  ];
}

/** Tells a client that asks for it what a script prints, as it does so. */
function progressOf({ _meta: { progressToken } = {} }, sendNotification) {
  if (progressToken === undefined) return undefined;
  let progress = 0;
  return (text) => {
    progress += text.length;
    const message = text.trimEnd().slice(-200);
    const params = { progressToken, progress, message };
    return sendNotification({ method: 'notifications/progress', params });
  };
}

function serve(sdk, python, ready) {
  const server = new sdk.Server(
    { name: 'scientist-pool', version },
    { capabilities: { tools: {} } },
  );
  const { name, description, inputSchema } = python;
  server.setRequestHandler(sdk.ListToolsRequestSchema, () => ({
    tools: [{ name, description, inputSchema }],
  }));
  server.setRequestHandler(
    sdk.CallToolRequestSchema,
    async ({ params }, { signal, sendNotification }) => {
      if (params.name !== name) {
        throw new sdk.McpError(
          sdk.ErrorCode.InvalidParams,
          `there is no tool ${params.name}, but ${name}`,
        );
      }
      const onStdout = progressOf(params, sendNotification);
      // A pull and an installation have a limit of their own, and the first call may come before their end.
      await ready;
      const outcome = await python
        .call(params.arguments, { signal, onStdout })
        // What failed here is no fault of the protocol: the model is to hear of it.
        .catch(({ message }) => ({ text: message, isError: true, pictures: [], files: {} }));
      return { content: content(outcome), isError: outcome.isError };
    },
  );
  return server;
}

/** Serves until the client closes stdin. */
async function perform({ values, pool: given, io }) {
  const sdk = loadSdk();
  if (sdk === null) {
    io.stderr.write(
      'scientist-pool: mcp takes the package @modelcontextprotocol/sdk: npm install it beside this one\n',
    );
    return FAULT;
  }
  const pool = new ContainerPoolManager({
    ...given,
    ...limits(values),
    poolSize: number(values, 'pool-size', 'containers'),
    handleSignals: true,
  });
  try {
    const python = new PythonTool(pool, { timeout: number(values, 'timeout', 'milliseconds') });
    // What is wrong with the engine, the calls tell.
    const ready = pool.initialize().catch(({ message }) => {
      io.stderr.write(`scientist-pool: ${printable(message)}\n`);
    });
    const server = serve(sdk, python, ready);
    const closed = new Promise((resolve) => {
      server.onclose = resolve;
      // The transport of the SDK does not look for the end of its input.
      io.stdin.once('end', resolve).once('close', resolve);
    });
    await server.connect(new sdk.StdioServerTransport(io.stdin, io.stdout));
    await closed;
    await server.close();
    return 0;
  } finally {
    await pool.shutdown({ grace: 0 });
  }
}

module.exports = { fault, options, perform };
