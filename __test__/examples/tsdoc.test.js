'use strict';

// The examples in the types, which are those of the API reference: compiled, and run on the fake engine.

const fs = require('node:fs');
const path = require('node:path');

const { Project, ROOT } = require('../support/installed');
const { runNode } = require('../support/node');
const { useFakeEngine } = require('../support/fake-bench');

const bench = useFakeEngine();

const declarations = [
  '.',
  'testing',
  'observing/monitor',
  'observing/otel',
  'observing/prometheus',
].map((folder) => path.posix.join(folder, 'index.d.ts'));

/** The examples of a file: `{ title, source }`, the source as the body of an async function. */
function examplesOf(file) {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/^ *\* ```js\n(.*?)^ *\* ```$/gms)].map(([, body], at) => {
    const source = body.replace(/^ *\* ?/gm, '');
    return { title: `${file} ${at + 1}`, source: `async function main() {\n${source}}\nmain();\n` };
  });
}

const examples = declarations.flatMap(examplesOf);

test('each entry of the package has one', () => {
  for (const file of declarations) {
    expect(examples.map(({ title }) => title)).toContain(`${file} 1`);
  }
});

test.each(examples)('$title runs without an error', async ({ source }) => {
  const env = { DOCKER_HOST: bench.engine.address };
  const { stderr, code } = await runNode(source, { env });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
});

test('all of them compile', async () => {
  // Within the package, where its own name leads to its own types.
  const folder = path.join(ROOT, 'target', 'tsdoc-examples');
  fs.mkdirSync(folder, { recursive: true });
  try {
    const project = new Project(folder);
    const files = examples.map(({ source }, at) => {
      project.write(`example-${at}.cjs`, source);
      return `example-${at}.cjs`;
    });
    const compilerOptions = {
      ...{ target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', strict: true },
      ...{ lib: ['es2022', 'esnext.disposable'], types: ['node'] },
      ...{
        allowJs: true,
        checkJs: true,
        noEmit: true,
        skipLibCheck: true,
        moduleDetection: 'force',
      },
    };
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
    const { code, stdout } = await project.tool('typescript-7', ['-p', 'tsconfig.json']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
