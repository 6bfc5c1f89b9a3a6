'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { SetupError } = require('../cleanup');
const { run } = require('../command');
const { say } = require('../console');
const { lock } = require('../lock');
const { cache } = require('../paths');

/**
 * What a cluster is made of: Kubernetes as Debian bookworm has its source, the newest that can be built from
 * Debian's packages alone, and Debian's etcd.
 */
const FOLDER = path.join(cache, 'kubernetes');
const BIN = path.join(FOLDER, 'bin');
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'etcd'];

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MIRROR = 'http://deb.debian.org/debian';
const VERSION = 'v1.20.2';
/** Where its sources are looked for with GO111MODULE=off. */
const SOURCE = 'go/src/k8s.io/kubernetes';
/**
 * By Debian release, each with its Go. The API server made by 1.19 crashes on custom resources; the rest is
 * made by whichever the release has.
 */
const GO = { bullseye: '1.15', bookworm: '1.19' };

const NO_GENERATOR = /vendor\/k8s\.io\/(code-generator|sample-apiserver|kube-openapi|gengo)\//;

/** Runs apt with lists and packages of its own, without touching the machine's. */
class Packages {
  constructor(folder) {
    this.folder = folder;
    this.config = path.join(folder, 'apt.conf');
  }

  async prepare() {
    for (const name of ['etc', 'state/lists/partial', 'cache/archives/partial', 'none']) {
      fs.mkdirSync(path.join(this.folder, name), { recursive: true });
    }
    const source = (kind, release) => `${kind} [signed-by=${KEYS}] ${MIRROR} ${release} main\n`;
    fs.writeFileSync(
      path.join(this.folder, 'etc', 'sources.list'),
      source('deb', 'bookworm') + source('deb-src', 'bookworm') + source('deb', 'bullseye'),
    );
    const none = path.join(this.folder, 'none');
    fs.writeFileSync(
      this.config,
      [
        `Dir::Etc "${path.join(this.folder, 'etc')}";`,
        ...['sourceparts', 'preferencesparts', 'trustedparts', 'parts'].map(
          (name) => `Dir::Etc::${name} "${none}";`,
        ),
        `Dir::State "${path.join(this.folder, 'state')}";`,
        'Dir::State::status "/var/lib/dpkg/status";',
        `Dir::Cache "${path.join(this.folder, 'cache')}";`,
        'Acquire::Languages "none";',
        'APT::Sandbox::User "root";',
      ].join('\n'),
    );
    await this.apt(['update', '-q']);
  }

  apt(args, cwd = this.folder) {
    return run('apt-get', args, { cwd, env: { APT_CONFIG: this.config } });
  }

  /** Gets packages, and unpacks them below `target` without installing anything. */
  async extract(names, target) {
    const folder = fs.mkdtempSync(path.join(this.folder, 'deb-'));
    await this.apt(['download', '-q', ...names], folder);
    fs.mkdirSync(target, { recursive: true });
    for (const name of fs.readdirSync(folder)) {
      await run('dpkg-deb', ['-x', path.join(folder, name), target]);
    }
    fs.rmSync(folder, { recursive: true });
  }
}

/** A Go of Debian's, as a package only unpacked. */
class Go {
  constructor(work, version) {
    this.version = version;
    this.root = path.join(work, `go-${version}`);
    this.gopath = path.join(work, 'go');
    this.cwd = path.join(work, SOURCE);
    this.env = {
      GOROOT: path.join(this.root, 'usr/lib', `go-${version}`),
      GOCACHE: path.join(work, `cache-${version}`),
      GOPATH: this.gopath,
      ...{ GO111MODULE: 'off', CGO_ENABLED: '0', GOFLAGS: '' },
    };
  }

  build(output, packages) {
    const vendor = 'k8s.io/kubernetes/vendor/k8s.io';
    const flags = ['component-base/version', 'client-go/pkg/version']
      .map((name) => `-X ${vendor}/${name}.gitVersion=${VERSION}`)
      .join(' ');
    return run(
      path.join(this.env.GOROOT, 'bin', 'go'),
      [
        'build',
        '-tags',
        'providerless',
        '-p',
        '1',
        '-ldflags',
        `-s -w ${flags}`,
        '-o',
        output,
        ...packages,
      ],
      { cwd: this.cwd, env: this.env },
    );
  }
}

function* goFiles(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* goFiles(file);
    else if (/\.go$/.test(entry.name) && !/_test\.go$|zz_generated/.test(entry.name)) yield file;
  }
}

/** The folders whose types the API server describes, named through `vendor/`, as the Makefile does. */
function describedFolders(source) {
  const found = new Set();
  const look = (below) => {
    for (const file of goFiles(path.join(source, below))) {
      if (!fs.readFileSync(file, 'latin1').includes('+k8s:openapi-gen=')) continue;
      const folder = path.relative(source, path.dirname(file));
      const name = folder.replace(/^staging\/src\//, 'vendor/');
      if (!NO_GENERATOR.test(`${name}/`)) found.add(`k8s.io/kubernetes/${name}`);
    }
  };
  for (const below of ['pkg', 'cmd', 'plugin', 'test', 'staging/src/k8s.io', 'vendor']) look(below);
  return [...found].sort();
}

async function describe(go, work) {
  const generator = path.join(work, 'openapi-gen');
  await go.build(generator, ['./vendor/k8s.io/kube-openapi/cmd/openapi-gen']);
  const header = 'vendor/k8s.io/code-generator/hack/boilerplate.go.txt';
  await run(
    generator,
    [
      ...['--logtostderr', '-i', describedFolders(go.cwd).join(',')],
      ...['-p', 'k8s.io/kubernetes/pkg/generated/openapi', '-O', 'zz_generated.openapi'],
      ...['-h', header, '-r', path.join(work, 'violations.txt')],
    ],
    { cwd: go.cwd, env: { ...go.env, PATH: `${go.env.GOROOT}/bin:${process.env.PATH}` } },
  );
}

async function build() {
  if (process.platform !== 'linux' || process.getuid() !== 0 || !fs.existsSync(KEYS)) {
    throw new SetupError(
      'A cluster can only be made on Debian or Ubuntu and as root.',
      'It takes apt, and the package debian-archive-keyring.',
    );
  }
  say('Kubernetes is built once, which takes two processors about ten minutes');
  const work = path.join(FOLDER, 'work');
  fs.rmSync(work, { recursive: true, force: true });
  const source = path.join(work, SOURCE);
  fs.mkdirSync(path.dirname(source), { recursive: true });
  const packages = new Packages(path.join(work, 'apt'));
  await packages.prepare();
  for (const version of Object.values(GO)) {
    const names = [`golang-${version}-go`, `golang-${version}-src`];
    await packages.extract(names, path.join(work, `go-${version}`));
  }
  await packages.extract(['etcd-server'], path.join(work, 'etcd'));
  await packages.apt(['source', '--download-only', 'kubernetes'], work);
  const description = fs.readdirSync(work).find((name) => name.endsWith('.dsc'));
  await run('dpkg-source', ['--no-check', '-x', description, source], { cwd: work });
  const part = path.join(work, 'bin');
  fs.mkdirSync(part);
  const [old, current] = Object.values(GO).map((version) => new Go(work, version));
  const others = async () => {
    for (const name of ['kubelet', 'kube-scheduler', 'kube-controller-manager']) {
      await current.build(`${part}/`, [`./cmd/${name}`]);
    }
  };
  const apiServer = async () => {
    await describe(old, work);
    await old.build(`${part}/`, ['./cmd/kube-apiserver']);
  };
  await Promise.all([others(), apiServer()]);
  fs.copyFileSync(path.join(work, 'etcd/usr/bin/etcd'), path.join(part, 'etcd'));
  fs.rmSync(BIN, { recursive: true, force: true });
  fs.renameSync(part, BIN);
  // The sources and what the compilers keep are several GB.
  fs.rmSync(work, { recursive: true, force: true });
}

/** Makes sure that the programs of a cluster are there; resolves with their folder. */
async function ensureKubernetes() {
  const isThere = () => PROGRAMS.every((name) => fs.existsSync(path.join(BIN, name)));
  if (isThere()) return BIN;
  fs.mkdirSync(FOLDER, { recursive: true });
  const unlock = await lock(path.join(FOLDER, 'lock'));
  try {
    // Another run may have made them meanwhile.
    if (!isThere()) await build();
  } catch (error) {
    if (error instanceof SetupError) throw error;
    throw new SetupError(
      `The programs of a cluster can not be made from Debian's source of Kubernetes: ${error.message}`,
      `That takes ${MIRROR}, 8 GB of disk, and 4 GB of memory.`,
    );
  } finally {
    await unlock();
  }
  return BIN;
}

module.exports = { ensureKubernetes };
