'use strict';

// node examples/chat/mcp.js: the same by way of npx scientist-pool mcp, as any MCP client has it

const fs = require('node:fs/promises');
const path = require('node:path');

const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

const { CSV, STEPS } = require('./model');

const PROGRAM = path.join(path.dirname(require.resolve('scientist-pool/package.json')), 'bin');

async function main() {
  const server = [path.join(PROGRAM, 'scientist-pool.js'), 'mcp', '--packages', 'matplotlib'];
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [...server, '--memory', '512m'],
    env: process.env,
  });
  const client = new Client({ name: 'chat', version: '1.0.0' });
  await client.connect(transport);
  try {
    // Each call has a fresh container, so the steps go as one.
    const given = { code: STEPS.join('\n'), files: [{ path: 'sales.csv', content: CSV }] };
    const { content } = await client.callTool({ name: 'run_python', arguments: given });
    const picture = content.find(({ type }) => type === 'image');
    await fs.writeFile('plot.png', Buffer.from(picture.data, 'base64'));
    console.log(`${picture.mimeType} of ${STEPS.length} steps`);
  } finally {
    await client.close();
  }
}
main();
