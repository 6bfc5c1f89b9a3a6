'use strict';

// What is published, as its users have it, but with the binary in it: packed, installed into an empty
// project, and used there on the fake engine that comes with it.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { version } = require('../../package.json');
const { layOut } = require('../../harness/published');
const { Project, ROOT, pack } = require('../support/installed');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'packed-'));
let tarball;
let project;

beforeAll(async () => {
  const { paths } = await pack(folder);
  const published = path.join(folder, 'published');
  await layOut(published, paths);
  tarball = await pack(folder, published);
  project = await Project.with([tarball.file]);
});
afterAll(() => {
  project?.remove();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** A program's body: one call on the fake engine, printed. */
const body = `
  const engine = (await FakeEngine.start()).install();
  engine.reply('print', { stdout: 'it works' });
  const { stdout } = await run('print(1)');
  await shutdown();
  await engine.assertEmpty();
  await engine.close();
  console.log(stdout);`;
const cjs = `
const { run, shutdown } = require('scientist-pool');
const { FakeEngine } = require('scientist-pool/testing');
async function main() {${body}
}
main();`;
const esm = `
import Pool, { acquire, getInstance, PoolError, run, shutdown } from 'scientist-pool';
import { FakeEngine } from 'scientist-pool/testing';
if (acquire !== Pool.acquire || getInstance !== Pool.getInstance || PoolError !== Pool.PoolError) throw Pool;
${body}`;
const works = { code: 0, stdout: 'it works\n', stderr: '' };

test('the tarball has what users need, and nothing of ours', () => {
  const allowed =
    /^(index\.(js|d\.ts)|(bin|cli|lib|testing|agents(\/\w+)?|observing\/\w+)\/[\w-]+((\.d)?\.[jt]s|\.py)|docs\/[\w-]+\.(md|json)|scientist-pool\.[\w-]+\.node|package\.json|README\.md|LICENSE|THIRD-PARTY-LICENSES\.txt|CHANGELOG\.md)$/;
  expect(tarball.paths.filter((file) => !allowed.test(file))).toEqual([]);
  const { exports } = require('../../package.json');
  const targets = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  );
  expect(tarball.paths).toEqual(
    expect.arrayContaining(targets.map((target) => path.posix.normalize(target))),
  );
});

test('nothing runs at its installation, and nothing else is installed with it', () => {
  const { dependencies, scripts } = require('../../package.json');
  expect(Object.keys(scripts).filter((name) => /install|^prepare$/.test(name))).toEqual([]);
  const installed = fs.readdirSync(project.path('node_modules'));
  const runtime = Object.keys(dependencies ?? {});
  for (const name of ['scientist-pool', ...runtime]) expect(installed).toContain(name);
  expect(installed.filter((name) => name.startsWith('@types'))).toEqual([]);
});

test('CommonJS', async () => {
  project.write('main.cjs', cjs);
  expect(await project.node(['main.cjs'])).toEqual(works);
});

test('ES modules, with named imports', async () => {
  project.write('main.mjs', esm);
  expect(await project.node(['main.mjs'])).toEqual(works);
});

test('the command line', async () => {
  const { stdout, code } = await project.node(['node_modules/.bin/scientist-pool', '--version']);
  expect({ stdout, code }).toEqual({ stdout: `${version}\n`, code: 0 });
});

test('a worker thread', async () => {
  project.write('worker.cjs', cjs);
  const starter = `
    const { Worker } = require('node:worker_threads');
    new Worker('./worker.cjs').on('exit', (code) => { process.exitCode = code; });`;
  expect(await project.node(['-e', starter])).toEqual(works);
});

describe('another package manager', () => {
  let other;
  afterEach(() => other.remove());

  test('pnpm, with its store and its links', async () => {
    other = await Project.with([tarball.file], { by: 'pnpm' });
    expect(fs.realpathSync(other.path('node_modules/scientist-pool'))).toContain('/.pnpm/');
    other.write('main.cjs', cjs);
    other.write('main.mjs', esm);
    expect(await other.node(['main.cjs'])).toEqual(works);
    expect(await other.node(['main.mjs'])).toEqual(works);
  });

  test("Yarn, with Plug'n'Play in the place of node_modules", async () => {
    other = await Project.with([tarball.file], { by: 'yarn' });
    expect(fs.existsSync(other.path('node_modules'))).toBe(false);
    other.write('main.cjs', cjs);
    other.write('main.mjs', esm);
    expect(await other.manager('yarn', ['node', 'main.cjs'])).toEqual(works);
    expect(await other.manager('yarn', ['node', 'main.mjs'])).toEqual(works);
  });
});

describe('test runners', () => {
  const suite = `
    let engine;
    beforeAll(async () => {
      engine = (await FakeEngine.start()).install();
      engine.reply('print', { stdout: 'it works' });
    });
    afterAll(async () => {
      await Pool.getInstance().shutdown();
      await engine.assertEmpty();
      await engine.close();
    });
    test('a call', async () => {
      expect(await Pool.run('print(1)')).toMatchObject({ stdout: 'it works', exitCode: 0 });
      await engine.assertNoLeases(Pool.getInstance());
    });
    test('an error', async () => {
      await expect(Pool.run('1', { timeout: -1 })).rejects.toThrow(Pool.PoolError);
    });`;

  test('jest', async () => {
    project.write(
      'jest.test.js',
      `const Pool = require('scientist-pool');
       const { FakeEngine } = require('scientist-pool/testing');${suite}`,
    );
    const { code, stderr } = await project.tool('jest', [
      ...['--ci', `--cacheDirectory=${project.path('.jest')}`, 'jest.test.js'],
    ]);
    expect(stderr).toContain('2 passed, 2 total');
    expect(code).toBe(0);
  });

  test('vitest', async () => {
    project.write(
      'vitest.test.mjs',
      `import Pool from 'scientist-pool';
       import { FakeEngine } from 'scientist-pool/testing';${suite}`,
    );
    const { code, stdout } = await project.tool('vitest', [
      ...['run', '--globals', '--no-cache', 'vitest.test.mjs'],
    ]);
    expect(stdout).toMatch(/Tests\s+2 passed \(2\)/);
    expect(code).toBe(0);
  });

  test("Node's own", async () => {
    project.write(
      'node.test.mjs',
      `import assert from 'node:assert';
       import { after, test } from 'node:test';
       import Pool from 'scientist-pool';
       import { FakeEngine } from 'scientist-pool/testing';
       const engine = (await FakeEngine.start()).install();
       after(async () => {
         await Pool.shutdown();
         await engine.close();
       });
       test('a call', async () => {
         engine.reply('print', { stdout: 'it works' });
         assert.equal((await Pool.run('print(1)')).stdout, 'it works');
       });`,
    );
    const { code, stdout } = await project.node(['--test', 'node.test.mjs']);
    expect(stdout).toMatch(/pass 1\b/);
    expect(code).toBe(0);
  });
});

describe('TypeScript', () => {
  const source = `
    import Pool, { acquire, PoolError, type ExecuteResult, type PoolOptions } from 'scientist-pool';
    import { FakeEngine, type Outcome } from 'scientist-pool/testing';
    const options: PoolOptions = { poolSize: 1 };
    const pool: Pool = Pool.getInstance(options);
    const outcome: Outcome = { stdout: '1' };
    (await FakeEngine.start()).reply('x', outcome);
    const container = await acquire();
    const result: ExecuteResult = await container.execute('print(1)');
    const bytes: Buffer = (await pool.run('1', { encoding: 'buffer' })).stdout;
    // @ts-expect-error text, unless it is asked for bytes
    const wrong: Buffer = result.stdout;
    export { PoolError, bytes, wrong };`;

  const nodenext = ['nodenext', 'main.mts', { module: 'nodenext', moduleResolution: 'nodenext' }];
  const bundler = ['bundler', 'main.ts', { module: 'esnext', moduleResolution: 'bundler' }];

  test.each([
    ['6', 'typescript', ...nodenext],
    ['6', 'typescript', ...bundler],
    ['7', 'typescript-7', ...nodenext],
    ['7', 'typescript-7', ...bundler],
  ])('%s (%s), %s', async (_, compiler, name, file, resolution) => {
    project.write(file, source);
    project.write(
      `tsconfig.${name}.json`,
      JSON.stringify({
        compilerOptions: {
          ...resolution,
          ...{ target: 'es2022', lib: ['es2022', 'esnext.disposable'], strict: true, noEmit: true },
          ...{ types: ['node'], typeRoots: [path.join(ROOT, 'node_modules/@types')] },
        },
        files: [file],
      }),
    );
    const { code, stdout } = await project.tool(compiler, ['-p', `tsconfig.${name}.json`]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });
});

describe('linters of packages', () => {
  test('publint has nothing to say', async () => {
    const { code, stdout } = await project.tool('publint', ['--strict', tarball.file]);
    expect(stdout).toContain('All good!');
    expect(code).toBe(0);
  });

  test('the types are right, but for a static that no import can follow', async () => {
    // It ends before a pipe has taken all that it says.
    const wait = 'data:text/javascript,process.stdout._handle.setBlocking(true)';
    const { stdout } = await project.tool('@arethetypeswrong/cli', [tarball.file, '-f', 'json'], {
      NODE_OPTIONS: `--import=${wait}`,
    });
    const { problems } = JSON.parse(stdout);
    // TypeScript takes the statics of the exported class for names to import. `instance` changes: as
    // an import it would be its value at the beginning for ever, so it is left out.
    expect(Object.keys(problems)).toEqual(['NamedExports']);
    expect(problems.NamedExports.map(({ missing }) => missing)).toEqual([['instance']]);
  });
});
