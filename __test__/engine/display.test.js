'use strict';

const { Pools } = require('../support/engine');

const pools = new Pools();
let pool;
beforeEach(() => {
  pool = pools.make({ poolSize: 0 });
});
afterEach(pools.close);

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

const RICH = `
class Rich:
    def __repr__(self): return "Rich()"
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_svg_(self): return "<svg/>"
    def _repr_png_(self): return bytes.fromhex("89504e470d0a1a0a")
    def _repr_json_(self): return {"rich": [1, None]}
    def _repr_markdown_(self): return None
    def _repr_latex_(self): raise NotImplementedError
`;
const RICH_BUNDLE = {
  'text/plain': 'Rich()',
  'text/html': '<b>rich</b>',
  'image/svg+xml': '<svg/>',
  'image/png': PNG,
  'application/json': { rich: [1, null] },
};

const shown = async (script, options) => {
  const { display } = await pool.run(script, { display: true, ...options });
  return display;
};
const texts = async (script) => (await shown(script)).map((bundle) => bundle['text/plain']);

describe('display', () => {
  it('is what display() is given, and the value of the last expression, last', async () => {
    const result = await pool.run(
      `${RICH}\nprint("out")\ndisplay(Rich(), 2)\nx = 3\nRich()  # the end`,
      { display: true },
    );
    expect(result.display).toEqual([RICH_BUNDLE, { 'text/plain': '2' }, { ...RICH_BUNDLE }]);
    expect(result).toMatchObject({ stdout: 'out', stderr: '', exitCode: 0, displayCut: [] });
    expect(Buffer.isBuffer(result.display[0]['image/png'])).toBe(true);
  });

  it.each([
    ['nothing', '', []],
    ['None', 'None', []],
    ['a statement', 'x = 1', []],
    ['what ends in a ;', 'x = 1\nx;', []],
    ['one of several on a line', 'x = 1; x', ['1']],
    ['one over several lines', '(1\n +\n 1)\n\n# end\n', ['2']],
    ['a tuple with a star', '*[1, 2], 3', ['(1, 2, 3)']],
    ['one behind text that is no ASCII', 'ä = "ö"; ä', ["'ö'"]],
    ['a walrus', '(y := 5)', ['5']],
    ['one with Windows line ends', 'x = 1\r\nx\r\n', ['1']],
    ['one with a declared encoding', '# -*- coding: utf-8 -*-\n"ä"', ["'ä'"]],
    [
      'a script beyond what a pipe holds',
      `s = "${'s'.repeat(1 << 18)}"\nlen(s)`,
      [String(1 << 18)],
    ],
  ])('of %s', async (_, script, expected) => {
    expect(await texts(script)).toEqual(expected);
  });

  it('takes _repr_mimebundle_, raw bundles, and base64 as Jupyter does', async () => {
    const script = `
class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "own", "image/png": "iVBORw0KGgo=", "application/vnd.x+json": {"a": 1}}, {"meta": 1}
display(Bundle())
display({"text/html": "<i>", "no type": "x", "application/json": "[1]"}, raw=True)`;
    expect(await shown(script)).toEqual([
      { 'text/plain': 'own', 'image/png': PNG, 'application/vnd.x+json': { a: 1 } },
      { 'text/html': '<i>', 'application/json': [1] },
    ]);
  });

  it('leaves the script as it is without', async () => {
    const script = `
import os, sys, atexit
atexit.register(lambda: print("at exit"))
print(__name__, __file__ if "__file__" in globals() else None, sys.argv, repr(sys.path[0]))
print(sorted(name for name in globals() if not name.startswith("__")))
print(sys.stdin.read() == "", os.getcwd())
def f():
    return 1 / 0
sys.exit(7) if len(sys.argv) > 2 else (
  f())
`;
    for (const args of [['a'], ['a', 'b']]) {
      const plain = await pool.run(script, { args });
      const with_ = await pool.run(script, { args, display: true });
      for (const field of ['stdout', 'stderr', 'exitCode', 'reason', 'path']) {
        expect([field, with_[field]]).toEqual([field, plain[field]]);
      }
    }
    const wrong = 'def f(:\n  pass';
    const [plain, with_] = [await pool.run(wrong), await pool.run(wrong, { display: true })];
    expect(with_.stderr).toBe(plain.stderr);
    expect(with_).toMatchObject({ exitCode: 1, display: [] });
  });

  it('has warnings come once', async () => {
    const script =
      'import warnings\nwarnings.simplefilter("always")\nx = "\\d"\nwarnings.warn("one")\nx';
    const [plain, with_] = [await pool.run(script), await pool.run(script, { display: true })];
    expect(with_.stderr).toBe(plain.stderr);
  });

  it('keeps what was shown before a crash, an exit and a timeout', async () => {
    expect(await texts('display(1)\n1 / 0')).toEqual(['1']);
    expect(await texts('import os\ndisplay(1)\nos._exit(0)')).toEqual(['1']);
    const late = await pool.run('import time\ndisplay(1)\ntime.sleep(600)', {
      display: true,
      timeout: 700,
    });
    expect(late).toMatchObject({ reason: 'timeout', display: [{ 'text/plain': '1' }] });
  });

  it('takes a working directory, an environment and arguments', async () => {
    const script = 'import os, sys\n(os.getcwd(), os.environ["A"], sys.argv[1:])';
    const result = await pool.run(script, {
      ...{ display: true, cwd: '/usr', env: { A: 1 }, args: ['x'] },
    });
    expect(result.display).toEqual([{ 'text/plain': "('/usr', '1', ['x'])" }]);
    expect(result.path).toBe('warm');
    const nowhere = await pool.run('1', { display: true, cwd: '/nowhere' });
    expect(nowhere).toMatchObject({
      ...{ exitCode: 126, stderr: '/nowhere: No such file or directory', display: [] },
    });
  });

  it('is refused where there is no way to it', async () => {
    const display = true;
    await expect(pool.run(['true'], { display })).rejects.toThrow(/display is for scripts/);
    await expect(pool.run('1', { display: 1 })).rejects.toThrow(/display/);
    await expect(pool.run('1', { display, maxDisplayBytes: '1g' })).rejects.toThrow(
      /maxDisplayBytes/,
    );
    await expect(pool.run('1', { display, env: { LANG: 'C' } })).rejects.toThrow(/env\["LANG"\]/);
    const container = await pool.acquire();
    let begun;
    const first = new Promise((resolve) => {
      begun = resolve;
    });
    const running = container.execute('print(1, flush=True)\nimport time\ntime.sleep(1)', {}, [], {
      onStdout: begun,
    });
    await first;
    await expect(container.execute('1', {}, [], { display })).rejects.toMatchObject({
      code: 'CONTAINER_BUSY',
    });
    await expect(running).resolves.toMatchObject({ exitCode: 0 });
    await expect(container.execute('1', {}, [], { display })).resolves.toMatchObject({
      display: [{ 'text/plain': '1' }],
    });
  });

  it('is there for the runs of a session that ask for it, each with its own', async () => {
    const container = await pool.acquire();
    const session = await container.session();
    const run = (code, options) => session.run(code, { display: true, ...options });
    expect((await run(`${RICH}\nRich()`)).display).toEqual([RICH_BUNDLE]);
    expect((await run('x = 1\ndisplay(x)\nx + 1')).display).toEqual([
      { 'text/plain': '1' },
      { 'text/plain': '2' },
    ]);
    expect(await session.run('x')).not.toHaveProperty('display');
    expect((await run('x;')).display).toEqual([]);
    expect((await run('display(3)\n1/0')).display).toEqual([{ 'text/plain': '3' }]);
    expect((await run('"x" * 100', { maxDisplayBytes: 10 })).displayCut).toHaveLength(2);
    expect((await run('x')).display).toEqual([{ 'text/plain': '1' }]);
  });
});

describe('what may be shown', () => {
  it('is cut at maxDisplayBytes, and the result says what was', async () => {
    const script = `${RICH}
Rich._repr_png_ = lambda self: b"x" * 2000
display(Rich())
display("y" * 5000)
display(1)`;
    const result = await pool.run(script, { display: true, maxDisplayBytes: 1000 });
    const { 'image/png': _, ...rest } = RICH_BUNDLE;
    expect(result.display[0]).toEqual(rest);
    expect(result.display[1]['text/plain']).toMatch(/^'y+$/);
    expect(result.display).toHaveLength(2);
    expect(result.displayCut).toEqual([
      { index: 0, type: 'image/png', bytes: 2000 },
      { index: 1, type: 'text/plain', bytes: 5002 },
      { index: null, type: null, bytes: null },
    ]);
  });

  it('has a bound for as many things as there are, too', async () => {
    const result = await pool.run('for n in range(100_000): display(n)', {
      ...{ display: true, maxDisplayBytes: 10_000 },
    });
    expect(result.display.length).toBeLessThan(200);
    expect(result.displayCut).toEqual([{ index: null, type: null, bytes: null }]);
  });

  it('comes in megabytes', async () => {
    const result = await pool.run('"x" * (8 << 20)', { display: true });
    expect(result.display[0]['text/plain']).toHaveLength((8 << 20) + 2);
  });
});

describe('a hostile script', () => {
  it('shows nothing by what it prints, nor by its children', async () => {
    const script = `
import os, struct, subprocess, sys, stat
text = b"text/plain"
pair = struct.pack("<I", len(text)) + text + struct.pack("<I", 6) + b"forged"
bundle = struct.pack("<I", 2) + pair + struct.pack("<I", 0)
forged = bytes(16) + b"d" + struct.pack("<I", len(bundle)) + bundle
for fd in (1, 2):
    os.write(fd, forged)
    os.write(fd, b"3" + struct.pack("<I", len(forged)) + forged)
write = "import os, sys, stat\\nfor fd in range(256):\\n  try:\\n    if stat.S_ISFIFO(os.fstat(fd).st_mode): os.write(fd, bytes.fromhex(sys.argv[1]))\\n  except OSError: pass"
subprocess.run([sys.executable, "-c", write, forged.hex()], close_fds=False)
if not os.fork():
    sys.argv[1:] = [forged.hex()]
    exec(write)
    os._exit(0)
os.wait()
display("own")`;
    const result = await pool.run(script, { display: true, encoding: 'buffer' });
    expect(result).toMatchObject({ exitCode: 0, display: [{ 'text/plain': "'own'" }] });
  });

  it('has shown what came before it wrote to the line itself, and that there was more is said', async () => {
    const script = `
import os, stat
display(1)
for fd in range(3, 20):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode): os.write(fd, b"x" * 100)
    except OSError: pass
display(2)`;
    const result = await pool.run(script, { display: true });
    expect(result).toMatchObject({ exitCode: 0, display: [{ 'text/plain': '1' }] });
    expect(result.displayCut).toEqual([{ index: null, type: null, bytes: null }]);
  });

  it('that closes all descriptors shows nothing more, and writes to no file of its own', async () => {
    const script = `
import os
display(1)
os.closerange(3, 256)
files = [open(f"own{n}.txt", "w") for n in range(5)]
display(2)
for file in files: file.close()
print([os.path.getsize(f"own{n}.txt") for n in range(5)])`;
    const result = await pool.run(script, { display: true });
    expect(result).toMatchObject({
      ...{ stdout: '[0, 0, 0, 0, 0]', stderr: '', exitCode: 0, display: [{ 'text/plain': '1' }] },
    });
  });

  it.each([
    ['raises', 'raise ValueError("no")', '<Odd object; its repr() raised ValueError: no>'],
    ['exits', 'raise SystemExit(3)', '<Odd object; its repr() raised SystemExit: 3>'],
    ['recurses', 'return repr(self)', expect.stringMatching(/its repr\(\) raised RecursionError/)],
    ['is no text', 'return 5', expect.stringMatching(/its repr\(\) raised TypeError/)],
  ])('whose repr %s has its own exit code', async (_, body, text) => {
    const script = `class Odd:\n  def __repr__(self): ${body}\nprint("on")\nOdd()`;
    const result = await pool.run(script, { display: true });
    expect(result).toMatchObject({ stdout: 'on', stderr: '', exitCode: 0 });
    expect(result.display).toEqual([{ 'text/plain': text }]);
  });

  it('whose repr hangs ends by its timeout, and in a session is interrupted', async () => {
    const script = 'class Odd:\n  def __repr__(self):\n    while True: pass\nOdd()';
    const result = await pool.run(script, { display: true, timeout: 700 });
    expect(result).toMatchObject({ reason: 'timeout', exitCode: 137, display: [] });
    const session = await (await pool.acquire()).session();
    const run = await session.run(script, { display: true, timeout: 300 });
    expect(run).toMatchObject({ reason: 'timeout', exitCode: 130, sessionEnded: false });
  });

  it('names no property that objects have', async () => {
    const script =
      'display({"__proto__": "x", "constructor": "y", "a/b": "z", "application/json": "{"}, raw=True)';
    const result = await pool.run(script, { display: true });
    expect(result.display).toEqual([{ 'a/b': 'z' }]);
    expect(result.displayCut).toEqual([{ index: 0, type: 'application/json', bytes: 1 }]);
  });
});
