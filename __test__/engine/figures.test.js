'use strict';

// Figures and frames are shown without the script doing anything: with the packages themselves.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Pools, outside } = require('../support/engine');
const { runNode } = require('../support/node');
const { served } = require('../support/wheels');

const pools = new Pools();
afterEach(pools.close);

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

const IMAGE = 'python:3.11-slim';
let both;

describe('with matplotlib and pandas', () => {
  beforeAll(async () => {
    both = await served(['matplotlib==3.9.4', 'pandas==2.2.3'], '3.11');
    // Installed before a test's time counts.
    await make().initialize();
    await pools.close();
  }, 600_000);
  afterAll(() => both.close());

  const make = (options) =>
    pools.make({
      ...{ ...both.options, image: IMAGE, poolSize: 0, memory: '512m', pidsLimit: 100 },
      ...options,
    });
  /** What is shown, each as its types and, of a picture, how large it is. */
  const shown = async (pool, script, options) => {
    const result = await pool.run(script, { display: true, timeout: 60_000, ...options });
    expect(result).toMatchObject({ stderr: '', exitCode: 0, displayCut: [] });
    for (const { 'image/png': png } of result.display) {
      if (png !== undefined) expect(png.subarray(0, 8)).toEqual(PNG);
    }
    return result.display;
  };
  const typesOf = (display) => display.map((bundle) => Object.keys(bundle).join());

  it('shows the figures that are open at the end, and a frame as HTML', async () => {
    const display = await shown(
      make(),
      `
import matplotlib, pandas
import matplotlib.pyplot as plt
assert matplotlib.get_backend().lower() == "agg"
plt.plot([1, 2])
plt.figure()
plt.plot([2, 1])
pandas.DataFrame({"a": [1, 2]})`,
    );
    expect(typesOf(display)).toEqual([
      ...['text/plain,image/png', 'text/plain,image/png'],
      'text/plain,text/html',
    ]);
    expect(display[0]['text/plain']).toBe('<Figure size 640x480 with 1 Axes>');
    expect(display[0]['image/png'].equals(display[1]['image/png'])).toBe(false);
    expect(display[2]['text/html']).toContain('<table');
  });

  it.each([
    ['in a template', { preload: ['matplotlib.pyplot'] }],
    ['by the script', {}],
  ])('plt.show() shows and closes; pyplot imported %s', async (_, options) => {
    const display = await shown(
      make(options),
      `
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
plt.close("all")
figure, axes = plt.subplots()
display(figure)
plt.figure()
figure`,
    );
    // The one that show() showed, the one that was displayed, the one that was left open, and the value.
    expect(typesOf(display)).toEqual(Array(4).fill('text/plain,image/png'));
  });

  it('a crash shows the figures that are open, and nothing is shown unasked', async () => {
    const pool = make();
    const script = 'import matplotlib.pyplot as plt\nplt.plot([1, 2])\n1 / 0';
    const result = await pool.run(script, { display: true, timeout: 60_000 });
    expect(typesOf(result.display)).toEqual(['text/plain,image/png']);
    expect(result.exitCode).toBe(1);
    const plain = await pool.run(script, { timeout: 60_000 });
    expect(plain).not.toHaveProperty('display');
    expect(plain.stderr).toBe(result.stderr);
  });

  it('a session shows a figure with the run that has made it, and it is closed then', async () => {
    const container = await make().acquire();
    const session = await container.session();
    const run = async (code) => (await session.run(code, { display: true })).display;
    expect(await run('import matplotlib.pyplot as plt\nplt.plot([1, 2]);')).toHaveLength(1);
    expect(await run('print(plt.get_fignums())')).toEqual([]);
    expect(typesOf(await run('plt.plot([2, 1])'))).toEqual(['text/plain,image/png', 'text/plain']);
  });

  it.each(['main.js', 'mcp.js'])('examples/chat/%s plots a CSV', async (program) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'chat-'));
    try {
      const file = path.join(__dirname, '../../examples/chat', program);
      const source = `process.chdir(${JSON.stringify(folder)});
        require(${JSON.stringify(file)})`;
      const env = {
        ...{ ...outside().env, CONTAINER_POOL_IMAGE: outside().image(IMAGE) },
        PIP_INDEX_URL: both.options.indexUrl,
      };
      const { stdout, stderr, code } = await runNode(source, { env });
      expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
      expect(stdout).toMatch(/^(Plotted \[\(1, 30\), .*|image\/png of 2 steps)\n$/);
      expect(fs.readFileSync(path.join(folder, 'plot.png')).subarray(0, 8)).toEqual(PNG);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});
