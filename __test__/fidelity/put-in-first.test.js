'use strict';

/*
 * What is put into a container before its first script is there for it, as it is for a `python3 -`
 * that starts at that moment: the interpreter that waits had looked before.
 *
 * Each case puts something in by a command and then runs a script, in a container of the pool and, by
 * the engine's exec, in one of the same settings. What the scripts write must be equal.
 */

const { ContainerPoolManager } = require('../..');
const { docker } = require('../support/docker.js');
const { address } = require('../support/engine.js');
const { item } = require('./corpus/index.js');
const { referenceLike } = require('./reference.js');

const IMAGES = ['python:3.9-slim', 'python:3.11-slim', 'python:3.13-slim'];
/** For all that is done in containers of one image. */
const PATIENCE = 300_000;

/** Python source that writes files. */
const write = (files) => `
import os, site
here = {"user": site.getusersitepackages(), "lib": "/tmp/lib"}
for path, text in ${JSON.stringify(files)}.items():
    path = path.format(**here)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
`;

const IMPORT_AND_TELL = `
import sys, os
try:
    import foo
    print(foo.x, foo.__file__)
except ImportError as error:
    print(error)
print(sys.path, sys.argv, os.environ["A"])
print("sitecustomize" in sys.modules, "usercustomize" in sys.modules)
`;

/** `puts`: what is put in. `finds`: what the script says of it, so that the case shows something. */
const CASES = [
  {
    name: 'a module of the user',
    puts: { '{user}/foo.py': 'x = "the module"' },
    finds: 'the module /tmp/.local/',
  },
  {
    name: 'a .pth file of the user',
    puts: {
      '{user}/a.pth': '/tmp/elsewhere\nimport builtins; builtins.seen = 1\n',
      '/tmp/elsewhere/foo.py': 'import builtins; x = builtins.seen',
    },
    finds: '1 /tmp/elsewhere/foo.py',
  },
  {
    name: 'a usercustomize',
    puts: { '{user}/usercustomize.py': 'print("customized")' },
    finds: 'customized\n',
  },
  {
    name: 'a sitecustomize of the user',
    puts: { '{user}/sitecustomize.py': 'print("customized by the user")' },
    finds: "['', ",
  },
  {
    name: 'a module below PYTHONPATH',
    puts: { '{lib}/foo.py': 'x = "the module"' },
    finds: 'the module /tmp/lib/foo.py',
  },
  {
    name: 'a sitecustomize below PYTHONPATH',
    puts: {
      '{lib}/sitecustomize.py': 'import sys; print("customized"); sys.dont_write_bytecode = True',
    },
    finds: 'customized\n',
  },
  {
    name: 'a module of the standard library below PYTHONPATH',
    puts: { '{lib}/json.py': 'x = 1', '{lib}/foo.py': 'import json; x = json.x' },
    finds: '1 /tmp/lib/foo.py',
  },
  {
    name: 'nothing that an interpreter looks for',
    puts: { '/tmp/data/file': 'x' },
    finds: "No module named 'foo'",
  },
];

describe.each(IMAGES)('%s', (base) => {
  const image = `put-in-first:${base.replace(/\W/g, '-')}`;
  let pool;
  let reference;

  beforeAll(async () => {
    const container = await docker().createContainer({ Image: base });
    await container.commit({
      repo: 'put-in-first',
      tag: image.split(':')[1],
      changes: 'ENV PYTHONPATH=/tmp/lib:/nowhere',
    });
    await container.remove();
    pool = new ContainerPoolManager({ image, engine: address(), poolSize: 1 });
    reference = await referenceLike(pool);
  }, PATIENCE);

  afterAll(async () => {
    await reference?.close();
    await pool?.shutdown({ grace: 0 });
    await docker().getImage(image).remove({ force: true });
  }, PATIENCE);

  test.each(CASES)(
    '$name',
    async ({ name, puts, finds }) => {
      const settings = { args: ['one', '-two'], env: { A: 'é' } };
      await reference.close();
      const real = await reference
        .run(item(name, write(puts)))
        .then(() => reference.run(item(name, IMPORT_AND_TELL, settings)));

      const container = await pool.acquire();
      await container.executeCommand(['python3', '-'], { stdin: write(puts) });
      const { env, args } = settings;
      const warm = await container.execute(IMPORT_AND_TELL, env, args, { trim: false });
      await container.destroy();

      const { stdout, stderr, exitCode } = warm;
      expect({ stdout, stderr, exitCode }).toEqual({
        stdout: real.stdout.toString(),
        stderr: real.stderr.toString(),
        exitCode: real.exitCode,
      });
      expect(stdout).toContain(finds);
      expect(warm.path).toBe('warm');
    },
    PATIENCE,
  );
});
