'use strict';

const { address } = require('../support/engine');
const { runNode } = require('../support/node');
const { snippets } = require('../support/readme');

// The examples find their engine as a user's program does.
const onEngine = `process.env.DOCKER_HOST = ${JSON.stringify(address())};\n`;

jest.setTimeout(60_000);

const examples = snippets.filter(({ isTest }) => !isTest);

test.each(examples)('$title: the example runs without an error', async ({ source, isModule }) => {
  const { stderr, code } = await runNode(onEngine + source, { module: isModule });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
});
