'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Index } = require('../../harness/package-index');
const { wheelsOf } = require('../../harness/packages');
const { hello } = require('../jobs');
const { OWN } = require('../sides');
const { quiet, shuffled } = require('../timing');

const IMAGE = 'python:3.11-slim';
const PACKAGES = ['pandas==2.2.3'];
/** pip alone, in the same kind of container with the same limits. */
const PIP = `
import os, subprocess, sys, urllib.request
for name in ("NO_PROXY", "no_proxy"):
    os.environ.pop(name, None)
index, place, *packages = sys.argv[1:]
os.environ["TMPDIR"] = place
page = urllib.request.urlopen(index + "/pip/").read().decode()
file = page.split('href="')[1].split("#")[0]
pip = place + "/" + file.rpartition("/")[2]
urllib.request.urlretrieve(index.rpartition("/")[0] + file, pip)
command = [sys.executable, pip + "/pip", "install", "--quiet", "--no-cache-dir", "--index-url", index]
sys.exit(subprocess.run(command + ["--disable-pip-version-check", "--target", place + "/packages", *packages]).returncode)
`;
const PLACE = '/usr/lib/packages';
const ROOM = {
  ...{
    memory: '4g',
    cpuQuota: 200_000,
    pidsLimit: 256,
    ulimits: { nofile: 4096, fsize: 4 * 2 ** 30 },
  },
  tmpfs: { [PLACE]: 'rw,exec,size=3g,mode=1777' },
};

module.exports = {
  name: 'packages',
  method: `The package on both engines, in random order: pandas installed into ${IMAGE} from an index on this machine,
    once by pip alone, in a container with the limits of an installation, and once as a derived image, until a pool with
    it is ready. Then run() of print("hello") in turn on a full pool without and one with pandas imported.`,
  rounds: 3,
  warmUp: 1,
  seconds: 240,
  needs: 'local',
  images: [IMAGE],
  metrics: {
    install: 'pandas is installed',
    run: 'run print("hello")',
  },

  async run({ sides, open, rounds, attempt, docker }) {
    const folder = await wheelsOf(['pip', ...PACKAGES], '3.11');
    const own = sides.filter((side) => OWN.includes(side));
    const images = new Images(docker);
    try {
      for await (const round of rounds()) {
        const index = await new Index(folder).listen();
        const indexUrl = index.url();
        const derived = { image: IMAGE, packages: PACKAGES, indexUrl };
        const kinds = {
          'pip alone': async (side) => {
            const options = { ...ROOM, image: IMAGE, poolSize: 0, network: reaching(indexUrl) };
            const pool = await open(side, options);
            try {
              await attempt(round, 'install', `pip alone, ${side}`, () =>
                installed(pool, indexUrl),
              );
            } finally {
              await pool.close();
            }
          },
          derived: async (side) => {
            const options = { ...derived, poolSize: 0 };
            const pool = await attempt(round, 'install', side, () => open(side, options));
            await pool?.close();
          },
        };
        try {
          for (const side of shuffled(own)) {
            for (const kind of shuffled(Object.keys(kinds))) await kinds[kind](side);
            await compare(round, side, { open, attempt }, derived);
          }
        } finally {
          index.close();
        }
      }
    } finally {
      await images.remove();
    }
  },
};

const CALLS = 20;

/** Calls of a pool without the packages and of one that has them imported, in turn. */
async function compare(round, side, { open, attempt }, derived) {
  const memory = '256m';
  const pools = {
    [`${side}, plain`]: await open(side, { image: IMAGE, memory, poolSize: 1 }),
    [`${side}, pandas imported`]: await open(side, {
      ...{ ...derived, memory, poolSize: 1, preload: ['pandas'] },
    }),
  };
  try {
    for (let call = 0; call < CALLS; call += 1) {
      for (const [name, pool] of shuffled(Object.entries(pools))) {
        await quiet(Object.values(pools));
        await attempt(round, 'run', name, async () => hello.check(await pool.run(hello)));
      }
    }
  } finally {
    await Promise.all(Object.values(pools).map((pool) => pool.close()));
  }
}

/** The option `network` for that index alone. */
function reaching(indexUrl) {
  return { allow: [new URL(indexUrl).host] };
}

async function installed(pool, indexUrl) {
  const container = await pool.acquire();
  try {
    const args = [indexUrl, PLACE, ...PACKAGES];
    const { exitCode, stderr } = await container.execute(PIP, {}, args);
    assert.equal(exitCode, 0, stderr);
  } finally {
    await container.destroy();
  }
}

/** What is derived here is taken away again; the local engine's are in a store of their own. */
class Images {
  #docker;
  #before;
  #caches = process.env.XDG_CACHE_HOME;
  #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-images-'));

  constructor(docker) {
    this.#docker = docker;
    this.#before = this.#listed();
    process.env.XDG_CACHE_HOME = this.#folder;
  }

  async #listed() {
    const filters = { label: ['scientist-pool.packages'] };
    return (await this.#docker.listImages({ filters })).map(({ Id }) => Id);
  }

  async remove() {
    if (this.#caches === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = this.#caches;
    fs.rmSync(this.#folder, { recursive: true, force: true });
    const before = await this.#before;
    for (const id of await this.#listed()) {
      if (!before.includes(id)) await this.#docker.getImage(id).remove();
    }
  }
}
