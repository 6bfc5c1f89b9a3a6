'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { outside } = require('../support/engine');
const { runNode } = require('../support/node');
const { pages } = require('../support/pages');

// The programs on the pages for users, as they stand there. They find their engine as a user's does.
const onEngine = `Object.assign(process.env, ${JSON.stringify(outside().env)});\n`;

// These take a cluster.
const isOfKubernetes = ({ source }) => source.includes("engine: 'kubernetes'");
const examples = pages
  .flatMap((page) => page.examples)
  .filter((example) => !example.isTest && !isOfKubernetes(example));

// Where one of them has its socket.
const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'runtime-'));
afterAll(() => fs.rmSync(runtime, { recursive: true, force: true }));

jest.setTimeout(60_000);

test.each(examples)('$title runs, and prints what it says', async (example) => {
  const { source, isModule, prints } = example;
  const env = { XDG_RUNTIME_DIR: runtime };
  const { stdout, stderr, code } = await runNode(onEngine + source, { module: isModule, env });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(stdout.split('\n')).toEqual(expect.arrayContaining(prints));
});
