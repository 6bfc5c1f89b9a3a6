'use strict';

// What docs/bundlers.md says, done: its commands and its settings, on an application in a project where the
// native part is in a package of its own. Next.js and ncc are too large to be installed for that.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { version } = require('../../package.json');
const { hostTarget } = require('../../lib/binding/target');
const { layOut } = require('../../harness/published');
const { Project, ROOT, execute } = require('../support/installed');
const { page } = require('../support/pages');

const NATIVE = `scientist-pool.${hostTarget()}.node`;

const BODY = `
  async function inMyCode() {
    const container = await acquire();
    await container.destroy();
    return container.execute('1').catch((error) => error);
  }
  async function main() {
    const engine = (await FakeEngine.start()).install();
    engine.reply('', { stdout: 'it works' });
    try {
      console.log((await run('1')).stdout);
      console.log((await inMyCode()).stack.split('\\n')[1].trim().split(' ')[1]);
      await shutdown();
    } finally {
      await engine.close();
    }
  }
  main();`;
const SOURCES = {
  'app.js': `const { acquire, run, shutdown } = require('scientist-pool');
    const { FakeEngine } = require('scientist-pool/testing');${BODY}`,
  'app.mjs': `import { acquire, run, shutdown } from 'scientist-pool';
    import { FakeEngine } from 'scientist-pool/testing';${BODY}`,
};
/** The answer of a call, and the first frame of an error: the application's own function. */
const works = { code: 0, stdout: 'it works\ninMyCode\n', stderr: '' };

let project;

beforeAll(async () => {
  project = new Project(fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bundled-'))));
  const main = project.path('node_modules/scientist-pool');
  await layOut(main, ['package.json', 'index.js', 'testing']);
  const name = `scientist-pool-${hostTarget()}`;
  const native = project.path(`node_modules/${name}`);
  fs.mkdirSync(native);
  fs.copyFileSync(path.join(ROOT, NATIVE), path.join(native, NATIVE));
  fs.writeFileSync(
    path.join(native, 'package.json'),
    JSON.stringify({ name, version, main: NATIVE }),
  );
  for (const [file, source] of Object.entries(SOURCES)) project.write(file, source);
});
afterEach(() => fs.rmSync(project.path('dist'), { recursive: true, force: true }));
afterAll(() => project.remove());

/** The blocks of code below a heading of the page. */
function blocks(heading) {
  const text = page('docs/bundlers.md').section(`## ${heading}`);
  return [...text.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, code]) => code);
}

/** Runs a command line of the page, by the development dependency that has its program. */
function command(line) {
  const env = { ...process.env, PATH: `${ROOT}/node_modules/.bin:${process.env.PATH}` };
  return execute('sh', ['-ec', line], { cwd: project.path('.'), env });
}

/** Has what is in dist alone, as on another machine: no node_modules beside or above it. */
async function alone(file) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'alone-'));
  const elsewhere = new Project(folder);
  try {
    fs.cpSync(project.path('dist'), folder, { recursive: true });
    return await elsewhere.node([file], { NODE_PATH: undefined });
  } finally {
    elsewhere.remove();
  }
}

describe('esbuild', () => {
  const [outside, inside, module] = blocks('esbuild');

  test('left out of the bundle', async () => {
    await command(outside);
    expect(fs.readdirSync(project.path('dist'))).toEqual(['app.js']);
    expect(await project.node(['dist/app.js'])).toEqual(works);
  });

  test('in the bundle, the native part beside it', async () => {
    await command(inside);
    expect(await alone('app.js')).toEqual(works);
  });

  test('in the bundle, as an ES module', async () => {
    await command(module);
    expect(await alone('app.mjs')).toEqual(works);
  });

  test('with the native part left out, the error says so', async () => {
    await command(inside.replace('--loader:.node=copy', '--external:scientist-pool-*'));
    const { code, stderr } = await alone('app.js');
    expect(code).not.toBe(0);
    expect(stderr).toContain('A bundler left it out');
  });
});

test('webpack', async () => {
  const [config] = blocks('webpack');
  project.write('webpack.config.cjs', config);
  const source = `
    const webpack = require(${JSON.stringify(path.join(ROOT, 'node_modules/webpack'))});
    webpack({ ...require('./webpack.config.cjs'), context: process.cwd() }, (error, stats) => {
      console.log(error ?? stats.toString({ all: false, errors: true, warnings: true }));
    });`;
  expect(await project.node(['-e', source])).toEqual({ code: 0, stdout: '\n', stderr: '' });
  // Minified: its functions have other names.
  const { code, stdout } = await project.node(['dist/app.js']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^it works\n/) });
});

test('Rollup', async () => {
  const [config] = blocks('Rollup');
  project.write('rollup.config.mjs', config);
  await command('rollup --config --silent');
  expect(await project.node(['dist/app.mjs'])).toEqual(works);
});

test('a single executable', async () => {
  const [source, settings, commands] = blocks('Single executables');
  project.write('app.cjs', `${source}console.log(typeof run, typeof shutdown);`);
  project.write('sea.json', settings);
  fs.copyFileSync(process.execPath, project.path('app'));
  await command(commands);
  const { stdout } = await execute(project.path('app'), { cwd: os.tmpdir() });
  expect(stdout).toBe('function function\n');
});
