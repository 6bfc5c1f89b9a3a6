'use strict';

const fs = require('node:fs');
const { readFileSync } = fs;
const os = require('node:os');
const path = require('node:path');

const { loadWithDouble } = require('../support/load');

const MiB = 1024 * 1024;

const VARIABLES = [
  'CONTAINER_POOL_SIZE',
  'CONTAINER_POOL_IMAGE',
  'CONTAINER_MEMORY',
  'CONTAINER_PIDS_LIMIT',
  'CONTAINER_CPU_QUOTA',
  'CONTAINER_POOL_MAX',
  'CONTAINER_ENGINE',
  'DOCKER_HOST',
  'PIP_INDEX_URL',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS_VERIFY',
];

const before = { ...process.env };
beforeEach(() => {
  for (const variable of VARIABLES) delete process.env[variable];
});
afterAll(() => {
  for (const variable of VARIABLES) {
    if (before[variable] !== undefined) process.env[variable] = before[variable];
  }
});

const { ContainerPoolManager, double } = loadWithDouble();

function configOf(options) {
  new ContainerPoolManager(options);
  return double.pools.at(-1).config;
}

test('the defaults are those of the contract, as the native side reads them', () => {
  expect(configOf()).toEqual({
    pool: {
      poolSize: { min: 2, max: 2 },
      max: null,
      maxWaiting: null,
      createConcurrency: 3,
      destroyConcurrency: 4,
      maxLifetimeMs: 3_600_000,
      maxIdleMs: 0,
      createTimeoutMs: 60_000,
    },
    container: {
      image: 'python:3.9-slim',
      pull: 'missing',
      pullTimeoutMs: 600_000,
      memory: 128 * MiB,
      swap: 0,
      pidsLimit: 50,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      network: 'none',
      user: '65534:65534',
      readonlyRootfs: true,
      noNewPrivileges: true,
      capAdd: [],
      tmpfs: { '/tmp': 'rw,nosuid,nodev,exec,size=64m,mode=1777' },
      mounts: [],
      shmSize: 16 * MiB,
      ulimits: { nofile: [1024, 1024], core: [0, 0], fsize: [64 * MiB, 64 * MiB] },
      seccomp: 'strict',
      runtime: null,
      home: '/tmp',
      log: false,
      labels: {},
      preload: [],
      template: true,
    },
    egress: { secrets: {} },
    engine: {
      ...{ kind: 'auto', host: null, certPath: null, tlsVerify: null, timeoutMs: 30_000 },
      kubernetes: {
        ...{ kubeconfig: null, context: null, namespace: null, nodeSelector: {}, tolerations: [] },
        ...{ priorityClassName: null, runtimeClassName: null, imagePullSecrets: [] },
        ...{ serviceAccount: null, seccompProfile: null, activeDeadlineMs: 86_400_000 },
      },
    },
    packages: null,
  });
});

describe('packages', () => {
  const packagesOf = (options) =>
    configOf({ indexUrl: 'https://pypi.org/simple', ...options }).packages;

  test('are read in one form and order, whoever writes them how', () => {
    const written = ['Pandas[ Excel, S3 ] >= 2, < 3', 'b_y.Y; python_version > "3.8"', 'a', 'A'];
    expect(packagesOf({ packages: written }).requirements).toEqual([
      'a',
      'b-y-y ; python_version > "3.8"',
      'pandas[excel,s3]>=2,<3',
    ]);
  });

  test('of a file are its lines, with their hashes and without its comments', () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'options-')), 'requirements.txt');
    const sum = `--hash=sha256:${'a'.repeat(64)}`;
    fs.writeFileSync(file, `# all\n--require-hashes\nSix==1.17.0 \\\n  ${sum} # why\n`);
    const { requirements, option } = packagesOf({ requirements: file });
    expect({ requirements, option }).toEqual({
      requirements: ['--require-hashes', `six==1.17.0 ${sum}`],
      option: 'requirements',
    });
    fs.writeFileSync(file, 'six\n--extra-index-url https://elsewhere.org\n');
    expect(() => configOf({ requirements: file })).toThrow(
      /^requirements, .* line 2, must be .*got '--extra/,
    );
    fs.rmSync(path.dirname(file), { recursive: true });
  });

  test('are reached at the host of their index alone, and where its files are', () => {
    const hosts = (indexUrl) => packagesOf({ packages: ['a'], indexUrl }).hosts;
    expect(hosts('https://pypi.org/simple')).toEqual([
      'pypi.org:443',
      'files.pythonhosted.org:443',
    ]);
    expect(hosts('http://127.0.0.1:8080/simple')).toEqual(['127.0.0.1:8080']);
    const { index, indexUrl } = packagesOf({
      packages: ['a'],
      indexUrl: 'https://me:pass@a.org/simple',
    });
    expect({ index, indexUrl }).toEqual({
      index: 'https://a.org/simple',
      indexUrl: 'https://me:pass@a.org/simple',
    });
  });

  test.each([
    ['-r other.txt'],
    ['a @ https://a.org/a.whl'],
    ['./a.whl'],
    ['a; python_version > "3"\n--index-url https://b.org'],
    ['a=1'],
    [''],
  ])('%j is refused', (text) => {
    expect(() => configOf({ packages: ['a', text] })).toThrow(
      /^packages\[1\] must be a requirement/,
    );
  });

  test('and an index are refused with what is wrong, and no password', () => {
    for (const indexUrl of ['ftp://me:secret@a.org', 'a.org', 'https://a.org/?q=secret', 7]) {
      const refused = () => configOf({ packages: ['a'], indexUrl });
      expect(refused).toThrow(/^indexUrl must be the URL of an index/);
      expect(refused).not.toThrow(/secret/);
    }
    const engine = 'kubernetes';
    expect(() => configOf({ packages: ['a'], engine })).toThrow(
      /^packages can't be installed on the engine 'kubernetes'/,
    );
    for (const image of ['host', 'dir:/srv/root']) {
      expect(() => configOf({ packages: ['a'], image })).toThrow(
        /^packages must go with an image of a registry/,
      );
    }
  });
});

test('secrets are read in one form, and other ones are told apart without being shown', () => {
  const network = { allow: ['a.org'] };
  const secrets = (value) => ({
    B: { value, hosts: ['a.org'] },
    A: { value, hosts: ['a.org'], in: ['body'] },
  });
  expect(
    Object.entries(configOf({ network, secrets: secrets('hush-hush') }).egress.secrets),
  ).toEqual([
    ['A', { value: 'hush-hush', hosts: ['a.org'], in: ['body'] }],
    ['B', { value: 'hush-hush', hosts: ['a.org'], in: ['header'] }],
  ]);
  const { differences, resolveOptions } = require('../../lib/options/options');
  const [one, other] = ['hush-hush', 'hush-hush-2'].map((value) =>
    resolveOptions({ network, secrets: secrets(value) }, {}),
  );
  expect(differences(one, other)).toEqual(['secrets are others']);
});

test('every field of the native configuration is written, and none that it does not have', () => {
  const source = readFileSync(path.join(__dirname, '../../src/config.rs'), 'utf8');
  const fields = (struct) => {
    const [, body] = new RegExp(`struct ${struct} \\{([^}]*)\\}`).exec(source);
    return [...body.matchAll(/(?:#\[serde\(rename = "(\w+)"[^\]]*\]\s*)?pub (\w+):/g)]
      .map(([, renamed, name]) => renamed ?? name.replace(/_(\w)/g, (_, c) => c.toUpperCase()))
      .sort();
  };
  const config = configOf();
  expect(Object.keys(config.pool).sort()).toEqual(fields('PoolConfig'));
  expect(Object.keys(config.container).sort()).toEqual(fields('ContainerConfig'));
  expect(Object.keys(config.egress).sort()).toEqual(fields('EgressConfig'));
  expect(Object.keys(config.engine).sort()).toEqual(fields('EngineConfig'));
  expect(Object.keys(config.engine.kubernetes).sort()).toEqual(fields('KubernetesConfig'));
});

test('every option is declared in index.d.ts, and none that does not exist', () => {
  const { OPTION_NAMES } = require('../../lib/options/options');
  const declarations = readFileSync(path.join(__dirname, '../../index.d.ts'), 'utf8');
  const [, body] = /interface PoolOptions \{([\s\S]*?)\n {2}\}/.exec(declarations);
  const declared = [...body.matchAll(/^ {4}(\w+)\?:/gm)].map(([, name]) => name);
  expect(declared.sort()).toEqual([...OPTION_NAMES].sort());
});

test.each([
  [{ memory: '64m' }, 'container', { memory: 64 * MiB }],
  [{ memory: '1g' }, 'container', { memory: 1024 * MiB }],
  [{ memory: '1.5GiB' }, 'container', { memory: 1536 * MiB }],
  [{ memory: '131072 KB' }, 'container', { memory: 128 * MiB }],
  [{ memory: 64 * MiB }, 'container', { memory: 64 * MiB }],
  [{ pidsLimit: Infinity }, 'container', { pidsLimit: -1 }],
  [{ cpuQuota: Infinity }, 'container', { cpuQuota: 0 }],
  [{ max: 7 }, 'pool', { max: 7 }],
  [{ max: Infinity }, 'pool', { max: Number.MAX_SAFE_INTEGER }],
  [{ max: 1 }, 'pool', { max: 1, poolSize: { min: 1, max: 1 } }],
  [{ poolSize: 0 }, 'pool', { poolSize: { min: 0, max: 0 } }],
  [{ poolSize: { min: 0, max: 20 } }, 'pool', { poolSize: { min: 0, max: 20 } }],
  [{ poolSize: { min: 3, max: 3 } }, 'pool', { poolSize: { min: 3, max: 3 } }],
  [{ maxWaiting: 0 }, 'pool', { maxWaiting: 0 }],
  [{ maxWaiting: Infinity }, 'pool', { maxWaiting: null }],
  [{ maxLifetime: Infinity, maxIdle: 5 }, 'pool', { maxLifetimeMs: 0, maxIdleMs: 5 }],
  [{ user: null }, 'container', { user: null, home: null }],
  [{ user: 'nobody' }, 'container', { user: 'nobody', home: '/tmp' }],
  [{ capAdd: ['cap_chown', 'CHOWN', 'KILL'] }, 'container', { capAdd: ['CHOWN', 'KILL'] }],
  [{ tmpfs: { '/tmp': false } }, 'container', { tmpfs: {} }],
  [
    { tmpfs: { '/work': 'size=1g' } },
    'container',
    { tmpfs: { '/tmp': 'rw,nosuid,nodev,exec,size=64m,mode=1777', '/work': 'size=1g' } },
  ],
  [
    { ulimits: { nofile: { soft: 64, hard: 128 }, core: Infinity } },
    'container',
    { ulimits: { nofile: [64, 128], core: [-1, -1], fsize: [64 * MiB, 64 * MiB] } },
  ],
  [
    { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
    'container',
    { seccomp: '{"defaultAction":"SCMP_ACT_ERRNO"}' },
  ],
  [
    { seccomp: '{ "defaultAction": "SCMP_ACT_ALLOW" }' },
    'container',
    { seccomp: '{"defaultAction":"SCMP_ACT_ALLOW"}' },
  ],
  [{ seccomp: 'engine' }, 'container', { seccomp: 'engine' }],
  [{ swap: '64m' }, 'container', { swap: 64 * MiB }],
  [{ swap: Infinity }, 'container', { swap: -1 }],
  [{ labels: { b: '2', a: '' } }, 'container', { labels: { a: '', b: '2' } }],
  [{ preload: ['numpy', 'os.path'] }, 'container', { preload: ['numpy', 'os.path'] }],
  [{ template: false }, 'container', { template: false }],
  [
    { network: { allow: ['a.org'], maxSentBytes: '1m' } },
    'container',
    {
      network: {
        ...{ allow: ['a.org'], deny: [], hosts: {}, opaque: false, maxConnections: 64 },
        ...{ ca: null, resolver: null },
        ...{ maxSentBytes: MiB, maxReceivedBytes: Number.MAX_SAFE_INTEGER },
        ...{ connectTimeout: 10_000, idleTimeout: 60_000 },
      },
    },
  ],
  [{ runtime: 'runsc' }, 'container', { runtime: 'runsc' }],
  [{ runtime: '/usr/bin/runsc' }, 'container', { runtime: '/usr/bin/runsc' }],
  [{ engine: 'tcp://engine:2375' }, 'engine', { host: 'tcp://engine:2375' }],
  [
    { engine: { host: 'unix:///x.sock', certPath: '/c', tlsVerify: false, timeout: 5 } },
    'engine',
    { host: 'unix:///x.sock', certPath: '/c', tlsVerify: false, timeoutMs: 5 },
  ],
  [{ poolSize: undefined, engine: undefined }, 'pool', { poolSize: { min: 2, max: 2 } }],
])('%j becomes %s %j', (options, group, fields) => {
  expect(configOf(options)[group]).toMatchObject(fields);
  for (const [name, value] of Object.entries(fields)) {
    expect(configOf(options)[group][name]).toEqual(value);
  }
});

test.each([
  'python',
  'python:3.9-slim',
  'localhost/python',
  'localhost:5000/team/python:1',
  'registry.example.com/a/b/c__d/e-f.g:v1.0_x-y',
  '[::1]:5000/python',
  `python@sha256:${'a'.repeat(64)}`,
  `python:3.9@sha256:${'0'.repeat(64)}`,
  `sha256:${'b'.repeat(64)}`,
  'REGISTRY/python',
])('the image %s is well-formed', (image) => {
  expect(configOf({ image }).container.image).toBe(image);
});

test.each([
  'unix:///var/run/docker.sock',
  'npipe:////./pipe/docker_engine',
  'tcp://127.0.0.1:2375',
  'tcp://[::1]:2375',
  'tcp://engine',
  'http://engine:2375/',
  'https://engine:2376',
])('the address %s is well-formed', (address) => {
  expect(configOf({ engine: address }).engine.host).toBe(address);
});

test.each(['auto', 'docker', 'local', 'kubernetes'])(
  'the engine %s is told by its name',
  (kind) => {
    expect(configOf({ engine: kind }).engine).toMatchObject({ kind, host: null });
    expect(configOf({ engine: { kind } }).engine.kind).toBe(kind);
    process.env.CONTAINER_ENGINE = kind;
    expect(configOf().engine.kind).toBe(kind);
  },
);

test('a name of no engine is refused', () => {
  process.env.CONTAINER_ENGINE = 'rocket';
  expect(() => configOf()).toThrow(
    "CONTAINER_ENGINE must be 'auto' or 'docker' or 'local' or 'kubernetes'; got 'rocket'",
  );
});

test('an address that is given is that of Docker, whatever the environment says', () => {
  process.env.CONTAINER_ENGINE = 'local';
  expect(configOf({ engine: 'tcp://engine:2375' }).engine.kind).toBe('docker');
});

describe('kubernetes', () => {
  const on = (kubernetes) => configOf({ engine: 'kubernetes', kubernetes }).engine.kubernetes;

  test('is completed, field by field', () => {
    expect(
      on({
        namespace: 'sandboxes',
        tolerations: [{ key: 'only', operator: 'Equal', value: 'sandboxes', effect: 'NoSchedule' }],
        nodeSelector: { 'node.kubernetes.io/pool': 'sandboxes' },
        activeDeadline: 60_000,
      }),
    ).toMatchObject({
      namespace: 'sandboxes',
      context: null,
      tolerations: [{ key: 'only', operator: 'Equal', value: 'sandboxes', effect: 'NoSchedule' }],
      nodeSelector: { 'node.kubernetes.io/pool': 'sandboxes' },
      activeDeadlineMs: 60_000,
    });
  });

  test.each(['hostNetwork', 'privileged', 'volumes', 'securityContext'])(
    'has no %s, which would open the sandbox',
    (name) => {
      expect(() => on({ [name]: true })).toThrow(
        `kubernetes.${name} is not for a pool to set: pods are as closed as it makes them`,
      );
    },
  );

  test.each([
    [{ namespaces: 'a' }, 'kubernetes.namespaces is no option; did you mean namespace?'],
    [{ namespace: 'A b' }, "got 'A b'"],
    [{ tolerations: [{ effect: 'Sometimes' }] }, 'kubernetes.tolerations[0].effect must be'],
    [{ seccompProfile: '../../etc/x' }, "got '../../etc/x'"],
    [{ seccompProfile: '/etc/x' }, "got '/etc/x'"],
    [{ activeDeadline: 0 }, 'kubernetes.activeDeadline must be'],
  ])('refuses %j', (value, message) => {
    expect(() => on(value)).toThrow(message);
  });

  test('is for that engine alone, which has no address', () => {
    expect(() => configOf({ engine: 'docker', kubernetes: {} })).toThrow(
      "kubernetes is for the engine 'kubernetes', and engine.kind is 'docker'",
    );
    const engine = { kind: 'kubernetes', host: 'tcp://engine:2375' };
    expect(() => configOf({ engine })).toThrow(
      "engine.host is Docker's, and engine.kind is 'kubernetes'",
    );
  });
});

test('the local engine has no address, and leaves that of the environment to others', () => {
  process.env.DOCKER_HOST = 'tcp://engine:2375';
  expect(configOf({ engine: 'local' }).engine.kind).toBe('local');
  const engine = { kind: 'local', host: 'tcp://engine:2375' };
  expect(() => configOf({ engine })).toThrow("engine.host is Docker's, and engine.kind is 'local'");
});

test.each(['host', 'dir:/srv/python', 'oci-archive:/a b.tar', 'docker-archive:/a.tar'])(
  'the image %s of this machine is well-formed',
  (image) => {
    expect(configOf({ image }).container.image).toBe(image);
  },
);

test('environment variables set what the old service read from them', () => {
  process.env.CONTAINER_POOL_SIZE = '5';
  process.env.CONTAINER_POOL_IMAGE = 'python:3.12';
  process.env.CONTAINER_MEMORY = '256m';
  process.env.CONTAINER_PIDS_LIMIT = '64';
  process.env.CONTAINER_CPU_QUOTA = '25000';
  process.env.CONTAINER_POOL_MAX = '9';
  process.env.DOCKER_HOST = 'tcp://engine:2376';
  process.env.DOCKER_CERT_PATH = '/certs';
  process.env.DOCKER_TLS_VERIFY = '1';
  expect(configOf()).toMatchObject({
    pool: { poolSize: { min: 5, max: 5 }, max: 9 },
    container: { image: 'python:3.12', memory: 256 * MiB, pidsLimit: 64, cpuQuota: 25_000 },
    engine: { host: 'tcp://engine:2376', certPath: '/certs', tlsVerify: true },
  });
});

test('they are read when the pool is made, not when the package is loaded', () => {
  process.env.CONTAINER_POOL_SIZE = '3';
  expect(configOf().pool.poolSize).toEqual({ min: 3, max: 3 });
  process.env.CONTAINER_POOL_SIZE = '4';
  expect(configOf().pool.poolSize).toEqual({ min: 4, max: 4 });
});

test('CONTAINER_POOL_SIZE may be a range', () => {
  process.env.CONTAINER_POOL_SIZE = '2-20';
  expect(configOf().pool.poolSize).toEqual({ min: 2, max: 20 });
});

test('an option goes before its environment variable, even a wrong one', () => {
  process.env.CONTAINER_POOL_SIZE = 'abc';
  expect(configOf({ poolSize: 1 }).pool.poolSize).toEqual({ min: 1, max: 1 });
});

test('an environment variable that is empty counts as not set', () => {
  process.env.CONTAINER_POOL_SIZE = '';
  process.env.DOCKER_HOST = '';
  process.env.DOCKER_TLS_VERIFY = '';
  expect(configOf()).toMatchObject({
    pool: { poolSize: { min: 2, max: 2 } },
    engine: { host: null, tlsVerify: null },
  });
});

test('hardening: legacy makes containers as the old service did', () => {
  expect(configOf({ hardening: 'legacy' }).container).toMatchObject({
    network: 'none',
    user: null,
    home: null,
    readonlyRootfs: false,
    noNewPrivileges: false,
    capAdd: null,
    tmpfs: {},
    ulimits: {},
    shmSize: null,
    swap: null,
    seccomp: 'engine',
    log: true,
  });
});

test('single options still count beside hardening: legacy', () => {
  const options = { hardening: 'legacy', user: '1000', capAdd: [], ulimits: { nofile: 64 } };
  expect(configOf(options).container).toMatchObject({
    user: '1000',
    capAdd: [],
    readonlyRootfs: false,
  });
  expect(configOf(options).container.ulimits).toEqual({ nofile: [64, 64] });
});
