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
// These an image by the name that it has in a registry, which an engine does not have by that.
const isOfRegistry = ({ source }) => /image: '\w+:\d/.test(source) && !outside().keepsImages;
const examples = pages
  .flatMap((page) => page.examples)
  .filter((one) => !one.isTest && !isOfKubernetes(one) && !isOfRegistry(one));

// Where one of them has its socket.
const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'runtime-'));
afterAll(() => fs.rmSync(runtime, { recursive: true, force: true }));

test.each(examples)('$title runs, and prints what it says', async (example) => {
  const { source, isModule, prints } = example;
  const env = { XDG_RUNTIME_DIR: runtime };
  const { stdout, stderr, code } = await runNode(onEngine + source, { module: isModule, env });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(stdout.split('\n')).toEqual(expect.arrayContaining(prints));
});
