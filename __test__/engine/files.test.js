'use strict';

// Files into and out of a container, with scripts that work for it and against it.

const { randomBytes } = require('node:crypto');
const { Readable } = require('node:stream');

const { NO_PYTHON, Pools, outside, until } = require('../support/engine');

const MiB = 1024 ** 2;

const pools = new Pools();
let pool;
let container;
beforeEach(async () => {
  pool = pools.make({ poolSize: 1 });
  container = await pool.acquire();
});
afterEach(pools.close);

/** Runs a script that is to succeed; gives its stdout. */
async function python(script) {
  const { stdout, stderr, exitCode } = await container.execute(script);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return stdout;
}

/** Every name below the working directory, hidden ones too. */
const names = () =>
  python('import os\nprint(sorted(n for _, d, f in os.walk(".") for n in d + f))');

describe('a file comes back as it was written', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from('x')],
    ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['20 MiB', randomBytes(20 * MiB)],
  ])('%s', async (_, data) => {
    await container.writeFiles({ 'a/b.bin': data });
    expect((await container.readFile('a/b.bin')).equals(data)).toBe(true);
    const digest = 'import hashlib; print(hashlib.md5(open("a/b.bin", "rb").read()).hexdigest())';
    const { createHash } = require('node:crypto');
    expect(await python(digest)).toBe(createHash('md5').update(data).digest('hex'));
  });

  test('1000 small files', async () => {
    const paths = Array.from({ length: 1000 }, (_, index) => `f${index % 10}/${index}.txt`);
    await container.writeFiles(Object.fromEntries(paths.map((path) => [path, `of ${path}`])));
    const files = await container.readFiles('**/*.txt', { encoding: 'utf8' });
    expect(Object.keys(files).sort()).toEqual(paths.sort());
    for (const path of paths) expect(files[path]).toBe(`of ${path}`);
  });

  test('names of any script and depth, and with the names of what objects have', async () => {
    const files = { 'ü/日本 語/☃.txt': '1', 'a b/c\nd': '2', constructor: '3', '-rf': '4' };
    await container.writeFiles(files);
    expect({ ...(await container.readFiles('**', { encoding: 'utf8' })) }).toEqual(files);
  });

  test('a stream, which waits while the container takes what it has given', async () => {
    const chunk = randomBytes(MiB);
    let given = 0;
    let ahead = 0;
    const source = async function* () {
      for (; given < 12; given += 1) {
        const { stdout } = await arrived();
        ahead = Math.max(ahead, given - Number(stdout));
        yield chunk;
      }
    };
    // How many MiB of it are in the container.
    const arrived = () =>
      container.execute(
        'import glob, os; print(sum(os.path.getsize(f) for f in glob.glob(".*")) >> 20)',
      );
    await container.writeFiles({ big: Readable.from(source()) });
    expect((await container.readFile('big')).equals(Buffer.concat(Array(12).fill(chunk)))).toBe(
      true,
    );
    // A batch, and what the stream itself holds ready.
    expect(ahead).toBeLessThanOrEqual(4 + 16);
    expect(await names()).toBe("['big']");
  });
});

describe('writeFiles', () => {
  it('sets the permissions, and replaces a file of the same name', async () => {
    await container.writeFiles({ tool: 'old', data: 'x' });
    await container.writeFiles({ tool: { data: '#!/bin/sh\necho new', mode: 0o755 } });
    const { stdout } = await container.executeCommand(['./tool']);
    expect(stdout).toBe('new\n');
    expect(await python('import os; print(oct(os.stat("data").st_mode))')).toBe('0o100644');
  });

  const itFits = outside().keepsSizes ? it : it.skip;
  itFits('leaves no part of a file that does not fit, and says which one it is', async () => {
    const files = { first: 'kept', big: randomBytes(63 * MiB), more: randomBytes(4 * MiB) };
    await expect(container.writeFiles(files)).rejects.toMatchObject({
      code: 'FILE_ERROR',
      path: 'more',
      errno: 'ENOSPC',
      message: expect.stringContaining('tmpfs'),
    });
    expect(await names()).toBe("['big', 'first']");
    expect(await container.readFile('first', 'utf8')).toBe('kept');
  });

  it('leaves nothing of a file beyond the largest that there may be', async () => {
    const small = await pools.make({ poolSize: 0, ulimits: { fsize: 5 * MiB } }).acquire();
    await expect(small.writeFiles({ big: randomBytes(6 * MiB) })).rejects.toMatchObject({
      code: 'FILE_ERROR',
      path: 'big',
      errno: 'EFBIG',
    });
    expect(await small.readFiles(['**', '.*'])).toEqual({});
  });

  const itLimits = outside().limitsMemory && outside().keepsSizes ? it : it.skip;
  itLimits('costs a container whose memory is too small no more than the file', async () => {
    const small = await pools.make({ poolSize: 0, memory: '40m' }).acquire();
    await small.writeFiles({ kept: 'x' });
    await expect(small.writeFiles({ big: randomBytes(50 * MiB) })).rejects.toMatchObject({
      code: 'FILE_ERROR',
      message: expect.stringContaining('memory'),
    });
    expect(await small.readFiles(['**', '.*'], { encoding: 'utf8' })).toEqual({ kept: 'x' });
    expect(await small.execute('print(1)')).toMatchObject({ stdout: '1', exitCode: 0 });
  });

  it('leaves nothing of a stream that fails, and rejects with what it failed with', async () => {
    const failure = new Error('the disk is gone');
    const source = async function* () {
      yield randomBytes(6 * MiB);
      throw failure;
    };
    await expect(container.writeFiles({ f: source() })).rejects.toBe(failure);
    expect(await names()).toBe('[]');
  });

  it('does not wait for a stream beyond its timeout, and ends the container', async () => {
    const source = new Readable({ read() {} });
    await expect(container.writeFiles({ f: source }, { timeout: 200 })).rejects.toMatchObject({
      code: 'CONTAINER_TERMINATED',
      timeout: 200,
    });
    expect(source.destroyed).toBe(true);
    expect(container.status).toBe('TERMINATED');
  });

  it('ends with its signal, and ends the container', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const source = async function* () {
      yield randomBytes(5 * MiB);
      controller.abort(reason);
      yield randomBytes(5 * MiB);
    };
    const { signal } = controller;
    await expect(container.writeFiles({ f: source() }, { signal })).rejects.toBe(reason);
    await until(() => container.status === 'TERMINATED');
  });
});

describe('links that a script has planted lead nowhere', () => {
  test('when writing', async () => {
    await python('import os\nos.symlink("/dev/shm", "out")\nos.symlink("/dev/shm/f", "file")');
    await expect(container.writeFiles({ 'out/f': 'x' })).rejects.toMatchObject({
      code: 'FILE_ERROR',
      path: 'out/f',
      errno: 'ENOTDIR',
    });
    await container.writeFiles({ file: 'x' });
    expect(await python('import os; print(os.listdir("/dev/shm"), os.path.islink("file"))')).toBe(
      '[] False',
    );
  });

  test('when reading', async () => {
    await python(
      'import os\nos.symlink("/etc", "out")\nos.symlink("/etc/passwd", "file")\nos.symlink("f", "f")',
    );
    const refused = { code: 'FILE_ERROR', errno: expect.stringMatching(/^(ENOTDIR|ELOOP)$/) };
    for (const path of ['out/passwd', 'file', 'f']) {
      await expect(container.readFile(path)).rejects.toMatchObject({ ...refused, path });
    }
    const found = await container.readFiles(['**', 'out/*', 'out/passwd', 'file', '*/passwd']);
    expect(found).toEqual({});
  });

  test('while a script changes a folder for a link and back', async () => {
    const swapping = container.execute(
      `import os, time
os.mkdir("real"); open("real/passwd", "w").write("mine"); os.symlink("/etc", "link")
end = time.monotonic() + 3
while time.monotonic() < end:
    for source in "real", "link":
        os.rename(source, "out")
        os.rename("out", source)`,
    );
    const reading = async () => {
      try {
        return await container.readFile('out/passwd', 'utf8');
      } catch ({ code }) {
        return code;
      }
    };
    let over = false;
    swapping.finally(() => {
      over = true;
    });
    const seen = new Set();
    while (!over) seen.add(await reading());
    expect(await swapping).toMatchObject({ exitCode: 0 });
    for (const what of seen) expect(['mine', 'FILE_NOT_FOUND', 'FILE_ERROR']).toContain(what);
  });
});

describe('readFile and readFiles', () => {
  it('do not wait on a pipe, and read neither devices nor sockets nor folders', async () => {
    await python(
      'import os, socket\nos.mkfifo("pipe")\nsocket.socket(socket.AF_UNIX).bind("socket")\nos.mkdir("folder")',
    );
    for (const path of ['pipe', 'socket', 'folder']) {
      await expect(container.readFile(path)).rejects.toMatchObject({ code: 'FILE_ERROR', path });
    }
    expect(await container.readFiles('*')).toEqual({});
  });

  it('tell a file that is not there from one that is empty', async () => {
    await container.writeFiles({ empty: '' });
    expect(await container.readFile('empty', 'utf8')).toBe('');
    await expect(container.readFile('no/file')).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      path: 'no/file',
      containerId: container.id,
    });
  });

  it('read what a script has made, and no name that begins with a dot unless asked to', async () => {
    await python(
      'import os\nos.makedirs("out/x")\nfor n in "a.csv", ".b.csv", "out/c.csv", "out/x/d.csv": open(n, "w").write(n)',
    );
    const paths = async (glob) => Object.keys(await container.readFiles(glob)).sort();
    expect(await paths('*')).toEqual(['a.csv']);
    expect(await paths('.*')).toEqual(['.b.csv']);
    expect(await paths(['out/*.csv', '*.csv', 'a.csv'])).toEqual(['a.csv', 'out/c.csv']);
    expect(await paths('**/[cd].csv')).toEqual(['out/c.csv', 'out/x/d.csv']);
    expect(await paths('none/**')).toEqual([]);
  });

  it('compare names that fit a pattern in very many ways in their time', async () => {
    await python(`import os
os.mkdir("_" * 255)
for n in range(2000): open("_" * 255 + "/%04d.csv" % n, "w").close()`);
    expect(await container.readFiles('*_*_*_*_*_*/out.csv')).toEqual({});
  });

  it('refuse more than they may give, before it is in memory', async () => {
    await container.writeFiles({ a: '12345', b: '12345', sparse: '' });
    await python('open("sparse", "r+").truncate(60 << 20)');
    expect(await container.readFile('a', { maxBytes: 5, encoding: 'utf8' })).toBe('12345');
    await expect(container.readFile('sparse', { maxBytes: 5 })).rejects.toMatchObject({
      code: 'FILE_LIMIT',
      path: 'sparse',
    });
    await expect(container.readFiles('[ab]', { maxBytes: 9 })).rejects.toMatchObject({
      code: 'FILE_LIMIT',
    });
    await expect(container.readFiles('[ab]', { maxFiles: 1 })).rejects.toMatchObject({
      code: 'FILE_LIMIT',
    });
    // None of it has cost the container.
    expect(await python('print(1)')).toBe('1');
  });

  it('read a file that a script grows and replaces meanwhile as it was at some moment', async () => {
    const writing = container.execute(
      `import os, time
end = time.monotonic() + 2
while time.monotonic() < end:
    with open("new", "w") as f: f.write("x" * 200000)
    os.rename("new", "f")
    time.sleep(0.001)`,
    );
    let over = false;
    writing.finally(() => {
      over = true;
    });
    let whole = 0;
    while (!over) {
      const [data] = Object.values(await container.readFiles('f'));
      if (data !== undefined) whole += data.equals(Buffer.alloc(200_000, 'x')) ? 1 : -1000;
    }
    expect(await writing).toMatchObject({ exitCode: 0 });
    expect(whole).toBeGreaterThan(0);
  });

  it('read what is there, though something that a script left writes to the same stream', async () => {
    const data = randomBytes(MiB);
    await container.writeFiles({ f: data });
    await python(
      'import subprocess; subprocess.Popen(["sh", "-c", "while :; do echo noise; done"])',
    );
    expect((await container.readFile('f')).equals(data)).toBe(true);
  });

  it('end at their timeout where a script keeps the answer from coming', async () => {
    // Large, so that it is being read for long enough.
    await container.writeFiles({ f: Buffer.alloc(16 * 2 ** 20) });
    // It stops every process it may: the one that reads files is of the same user. The script that starts it
    // may come to its end first.
    await python(`import subprocess
subprocess.Popen(["python3", "-c", """
import os, signal, time
me = os.getpid()
while os.getppid() != 1: time.sleep(0.01)
while True:
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) not in (1, me):
            try: os.kill(int(pid), signal.SIGSTOP)
            except OSError: pass
"""])`);
    const reading = async () => {
      for (;;) await container.readFile('f', { timeout: 3000 });
    };
    await expect(reading()).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED', timeout: 3000 });
    expect(container.status).toBe('TERMINATED');
  });
});

describe('what can not be read is named beside a result that is there', () => {
  const stdout = 'important';
  const denied = (path) => ({
    path,
    code: 'FILE_ERROR',
    errno: 'EACCES',
    message: expect.stringContaining(`"${path}"`),
  });
  const run = (script) =>
    pool.run(`import os\n${script}\nprint("important")`, { collect: '**', timeout: 20_000 });

  test('a folder, and what is in it', async () => {
    const script =
      'os.mkdir("d"); open("d/f", "w"); os.chmod("d", 0); open("good", "w").write("1")';
    const result = await run(script);
    expect(result).toMatchObject({ stdout, fileErrors: [denied('d')] });
    expect(Object.keys(result.files)).toEqual(['good']);
  });

  test('a file', async () => {
    const result = await run('open("f", "w"); os.chmod("f", 0); open("good", "w").write("1")');
    expect(result).toMatchObject({ stdout, fileErrors: [denied('f')] });
    expect(Object.keys(result.files)).toEqual(['good']);
  });

  test('files in a folder of which only the names can be read', async () => {
    const result = await run('os.mkdir("d"); open("d/f", "w"); os.chmod("d", 0o444)');
    expect(result).toMatchObject({ stdout, fileErrors: [denied('d/f')] });
  });

  test('a file beyond the bytes that may be collected; a smaller one behind it is there', async () => {
    const script =
      'open("a", "w").truncate(67000000); open("b", "w").truncate(9000000); open("c", "w")';
    const result = await run(script);
    expect(result).toMatchObject({ stdout, fileErrors: [{ path: 'b', code: 'FILE_LIMIT' }] });
    expect(Object.keys(result.files)).toEqual(['a', 'c']);
  });

  test('files beyond the most; the first by name are there', async () => {
    const result = await run('for n in range(1001): open("%04d" % n, "w")');
    expect(result).toMatchObject({ stdout, fileErrors: [{ path: null, code: 'FILE_LIMIT' }] });
    expect(Object.keys(result.files)).toHaveLength(1000);
  });

  test('and a name that nothing has is no error', async () => {
    const result = await pool.run('print("important")', { collect: ['nothing', '*.txt'] });
    expect(result).toMatchObject({ stdout, fileErrors: [] });
  });

  test('while readFiles, which can be called again, rejects and names it', async () => {
    await python('import os; os.mkdir("d"); os.chmod("d", 0)');
    await expect(container.readFiles('**')).rejects.toMatchObject(denied('d'));
  });
});

test('files are reached while a script runs', async () => {
  const waiting = container.execute(
    'import os, time\nopen("begun", "w").close()\nwhile not os.path.exists("go"): time.sleep(0.01)\nprint(open("go").read())',
  );
  await until(async () => 'begun' in (await container.readFiles('*')));
  await container.writeFiles({ go: 'went' });
  expect(await waiting).toMatchObject({ stdout: 'went', exitCode: 0 });
});

test('a container that has ended has no files', async () => {
  await container.destroy();
  await expect(container.readFile('f')).rejects.toMatchObject({ code: 'CONTAINER_TERMINATED' });
  await expect(container.writeFiles({ f: '' })).rejects.toMatchObject({
    code: 'CONTAINER_TERMINATED',
  });
});

describe('an image without Python', () => {
  const { hasInit, needsPython } = outside();
  const acquire = () => pools.make({ poolSize: 0, image: NO_PYTHON }).acquire();

  (hasInit || needsPython ? it.skip : it)('has no files, which costs it nothing', async () => {
    const plain = await acquire();
    await expect(plain.writeFiles({ f: '' })).rejects.toMatchObject({
      code: 'FILE_ERROR',
      message: expect.stringContaining('python3'),
    });
    expect(await plain.executeCommand(['echo', 'on'])).toMatchObject({ stdout: 'on\n' });
  });

  (hasInit ? it : it.skip)('has files where the first process handles them', async () => {
    const plain = await acquire();
    await plain.writeFiles({ 'a/b.txt': 'written' });
    const result = await plain.executeCommand(['sh', '-c', 'cat a/b.txt; echo more >> a/b.txt']);
    expect(result).toMatchObject({ stdout: 'written' });
    expect(await plain.readFiles('**')).toEqual({ 'a/b.txt': Buffer.from('writtenmore\n') });
  });
});

describe('run', () => {
  const script =
    'import os\nos.mkdir("out")\nopen("out/b.txt", "w").write(open("in/a.txt").read() * 2)';

  it('writes files before a script, and collects those that match after it', async () => {
    const files = { 'in/a.txt': 'ab' };
    const result = await pool.run(script, { files, collect: ['out/*', 'none'] });
    expect(result).toMatchObject({ exitCode: 0, reason: 'exit' });
    expect({ ...result.files }).toEqual({ 'out/b.txt': Buffer.from('abab') });
  });

  it('collects what a script that failed has left, and nothing of one that took too long', async () => {
    const leave = 'open("f", "w").write("left")\n';
    const failed = await pool.run(`${leave}raise SystemExit(3)`, { collect: '*' });
    expect([failed.exitCode, String(failed.files.f)]).toEqual([3, 'left']);
    const late = await pool.run(`${leave}import time; time.sleep(60)`, {
      collect: '*',
      timeout: 1000,
    });
    expect([late.reason, { ...late.files }]).toEqual(['timeout', {}]);
  });

  it('has no files in its result unless asked for', async () => {
    expect(await pool.run('print(1)', { collect: true })).not.toHaveProperty('files');
  });
});
