'use strict';

const os = require('node:os');
const { inspect } = require('node:util');

const { createNativeDouble } = require('../support/native-double');
const { loadWithDouble } = require('../support/load');

const { ContainerPoolManager, double } = loadWithDouble();
const { PoolError } = ContainerPoolManager;

const hex = (length) => 'a'.repeat(length);

/** Option → values that are wrong for it. `null` and a symbol are tried on every option. */
const WRONG_OPTIONS = {
  poolSize: [
    -1,
    1.5,
    '2',
    NaN,
    Infinity,
    10_001,
    true,
    {},
    [2],
    2n,
    { min: 1 },
    { max: 1 },
    { min: 3, max: 2 },
    { min: 0, max: 10_001 },
    { min: '1', max: 2 },
    { min: 1, max: 2, step: 1 },
  ],
  max: [0, -1, 1.5, '4', NaN, -Infinity, true, {}],
  maxWaiting: [-1, 1.5, '4', NaN, true],
  acquireTimeout: [-1, 1.5, '30s', '100', NaN, 2 ** 31, new Date(0)],
  createTimeout: [0, -1, 1.5, '1', Infinity],
  cpuTime: [-1, 0.5, '1s', NaN, 2 ** 31],
  execTimeout: [-1, 0.1, '1', NaN, 2 ** 31],
  maxOutputBytes: [-1, 1.5, 'many', '10 apples', NaN, true],
  maxLifetime: [-1, 1.5, '1h', NaN],
  maxIdle: [-1, 1.5, '1h', NaN],
  leakTimeout: [-1, 1.5, '15m', null],
  createConcurrency: [0, -1, 1.5, '3', 65, Infinity],
  destroyConcurrency: [0, -1, 1.5, '3', 65, Infinity],
  image: [
    '',
    ' ',
    ' python:3.9',
    'Python:3.9',
    'python:',
    'python:3.9:1',
    'python:-tag',
    `python:${'t'.repeat(129)}`,
    'python@sha256:abc',
    `python@sha256:${hex(63)}`,
    `python@md5:${hex(32)}`,
    '/python',
    'python/',
    'a//b',
    'registry:port/python',
    'py thon',
    'python\n',
    '-python',
    'python;rm -rf /',
    `${'a'.repeat(256)}`,
    `a/${'b'.repeat(5000)}`,
    42,
    {},
    ['python'],
  ],
  pull: ['Always', 'sometimes', '', true, 1],
  pullTimeout: [0, -1, 1.5, '1m', Infinity],
  swap: [-1, 1.5, '1x', 'm', '-1m', NaN, null, true, {}],
  memory: [0, -1, 1.5, 1024, '1m', '128', '128q', 'm', '-128m', '1e9', Infinity, NaN, true, {}],
  pidsLimit: [0, -1, 1.5, '50', NaN],
  cpuQuota: [0, -1, 999, 1000.5, '50000', NaN],
  cpuPeriod: [0, -1, 999, 1_000_001, 1000.5, '100000', Infinity],
  hardening: ['none', 'Legacy', '', true, false, 0],
  network: [
    ...['', 'host', 'container:abc', 'a b', '-net', 1, true, {}, ['a.org']],
    ...[{ allow: 'a.org' }, { allow: [1] }, { allow: [''] }, { deny: ['a.org'] }],
    { allow: [], hosts: { 'a.org': 1 } },
    { allow: [], hosts: ['a.org'] },
    { allow: [], opaque: 1 },
    { allow: [], maxConnections: 0 },
    { allow: [], maxSentBytes: -1 },
    { allow: [], maxReceivedBytes: '1 apple' },
    { allow: [], connectTimeout: 0 },
    { allow: [], idleTimeout: Infinity },
    { allow: [], ports: [443] },
    { allow: [], ca: '/etc/ssl/ca.pem' },
    { allow: [], resolver: 53 },
  ],
  secrets: [
    ...['hush-hush', ['hush-hush'], { TOKEN: 'hush-hush' }, { TOKEN: { value: 'hush-hush' } }],
    { 'A TOKEN': { value: 'hush-hush', hosts: ['a.org'] } },
    { TOKEN: { value: Buffer.from('hush-hush'), hosts: ['a.org'] } },
    { TOKEN: { value: 'hush-hush', hosts: 'a.org' } },
    { TOKEN: { value: 'hush-hush', hosts: [] } },
    { TOKEN: { value: 'hush-hush', hosts: ['a.org'], in: [] } },
    { TOKEN: { value: 'hush-hush', hosts: ['a.org'], in: ['path'] } },
    { TOKEN: { value: 'hush-hush', hosts: ['a.org'], places: ['body'] } },
    // Without network.allow.
    { TOKEN: { value: 'hush-hush', hosts: ['a.org'] } },
  ],
  user: ['', 'root:', ':0', 'a b', '0:0:0', 0, true, {}],
  readonlyRootfs: ['true', 0, 1, '', {}],
  noNewPrivileges: ['false', 0, 1],
  template: ['false', 0, 1],
  capAdd: ['NET_RAW', ['ALL'], ['NET RAW'], ['CAP_NOTHING'], [1], [null], {}, true, new Array(1)],
  tmpfs: [
    '/tmp',
    ['/tmp'],
    { tmp: 'size=1m' },
    { '/tmp': '' },
    { '/tmp': 'size=big' },
    { '/tmp': 'bind' },
    { '/tmp': true },
    { '/tmp': null },
    { '/../etc': 'size=1m' },
    { '/': 'size=1m' },
    { '/a:b': 'size=1m' },
    new Map(),
  ],
  mounts: [
    ...['/srv', {}, ['/srv'], [{}], [{ source: '/usr' }], [{ target: '/data' }], [null]],
    ...[
      '',
      1,
      'usr',
      './usr',
      '/usr/',
      '/usr/../usr',
      '/',
      '/proc',
      '/proc/self',
      '/sys',
      '/dev/shm',
    ].map((source) => [{ source, target: '/data' }]),
    ...[
      '/etc',
      '/var',
      '/home',
      '/root',
      '/run',
      os.homedir(),
      '/home/someone',
      '/no/such/folder',
    ].map((source) => [{ source, target: '/data' }]),
    ...[
      '',
      1,
      'data',
      '/',
      '/data/',
      '/data/../x',
      '//data',
      '/proc',
      '/dev/x',
      '/sys',
      '/tmp',
      '/tmp/x',
    ].map((target) => [{ source: __dirname, target }]),
    [{ source: __dirname, target: '/data', readOnly: 'yes' }],
    [{ source: __dirname, target: '/data', mode: 'rw' }],
    [
      { source: __dirname, target: '/data' },
      { source: __dirname, target: '/data/more' },
    ],
  ],
  shmSize: [0, -1, 1, 1.5, '16 pounds', Infinity, true],
  ulimits: [
    ['nofile'],
    'nofile=1024',
    { files: 1024 },
    { nofile: -1 },
    { nofile: '1024' },
    { nofile: null },
    { nofile: [1, 2] },
    { nofile: { soft: 200, hard: 100 } },
    { nofile: { soft: 100 } },
    { nofile: { soft: 100, hard: 200, harder: 300 } },
    { nofile: 31 },
    { nofile: { soft: 31, hard: 64 } },
    { fsize: 0 },
    { fsize: 65_535 },
  ],
  seccomp: ['', 'unconfined', 'default', '{}', '[]', '{"defaultAction":', {}, [], true],
  runtime: ['', 'a b', '-runsc', '//runsc', 1, {}],
  log: ['true', 0, 'none', {}],
  kubernetes: [
    ...['default', [], true, 1],
    ...[{ namespace: 'A B' }, { context: '' }, { kubeconfig: 1 }, { hostNetwork: true }],
    ...[{ tolerations: {} }, { seccompProfile: '../x' }, { activeDeadline: 0 }, { nodes: 1 }],
  ],
  labels: ['a=b', ['a=b'], { a: 1 }, { a: null }, { '': 'x' }, { 'scientist-pool.pool': 'x' }],
  packages: ['pandas', ['-r x'], ['a @ https://a.org/a.whl'], ['a\n-r x'], [''], [1], {}, true],
  requirements: ['/nowhere/requirements.txt', '', 1, [], {}],
  indexUrl: ['pypi', 'ftp://a.org', 'https://me:hush-hush@a.org/?a', '', 1, {}],
  onlyBinary: ['false', 0, 1],
  preload: ['numpy', ['1numpy'], ['num py'], ['numpy.'], ['os; x'], [''], [1], {}, true],
  engine: [
    '',
    'localhost',
    '/var/run/docker.sock',
    'unix://var/run/docker.sock',
    'unix://',
    'unix:///',
    `unix:///${'a'.repeat(200)}`,
    'ssh://host',
    'ftp://host',
    'tcp://',
    'tcp://host:port',
    'tcp://host:0',
    'tcp://host:99999',
    'tcp://user:secret@host:2375',
    'tcp://host:2375/path',
    'http://',
    'https://host:2376?x',
    'npipe://docker',
    'DOCKER',
    42,
    true,
    ['unix:///x'],
    { address: 'unix:///x' },
    { host: 42 },
    { host: 'nowhere' },
    { host: null },
    { certPath: '' },
    { certPath: 1 },
    { tlsVerify: 'yes' },
    { tlsVerify: 1 },
    { timeout: 0 },
    { timeout: -1 },
    { timeout: '30s' },
    { timeout: Infinity },
  ],
  handleSignals: ['SIGTERM', 1, 0, ['SIGINT'], {}],
};

/** Options for which `null` is documented. */
const TAKES_NULL = ['user'];

/** Environment variable → texts that are wrong for it. */
const WRONG_VARIABLES = {
  CONTAINER_POOL_SIZE: [
    '2-',
    '-2',
    '3-2',
    '1-10001',
    '1-2-3',
    '1 - 2',
    'abc',
    '-1',
    '1.5',
    '2 ',
    ' 2',
    '0x2',
    '1e1',
    'null',
    'NaN',
    'Infinity',
  ],
  CONTAINER_POOL_IMAGE: ['Python', 'a b', ':latest', ' '],
  CONTAINER_MEMORY: ['abc', '-1', '1', '1.5', '128 elephants', 'Infinity'],
  CONTAINER_PIDS_LIMIT: ['abc', '0', '-1', '1.5', '1e3'],
  CONTAINER_CPU_QUOTA: ['abc', '0', '-1', '1.5', '999'],
  CONTAINER_POOL_MAX: ['abc', '0', '-1', '1.5', 'Infinity'],
  DOCKER_HOST: ['nowhere', '/var/run/docker.sock', 'ssh://host', 'tcp://host:99999', ' '],
};

const name = (value) => inspect(value, { breakLength: Infinity }).slice(0, 60);

const wrongOptions = Object.entries(WRONG_OPTIONS).flatMap(([option, values]) =>
  [...values, Symbol('x'), ...(TAKES_NULL.includes(option) ? [] : [null])].map((value) => ({
    title: `${option}: ${name(value)}`,
    option,
    value,
  })),
);

function invalidNaming(what) {
  return expect.objectContaining({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(what),
  });
}

function thrownBy(action) {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a wrong option', () => {
  test('is tried for every option there is', () => {
    const { OPTION_NAMES } = require('../../lib/options/options');
    expect(Object.keys(WRONG_OPTIONS).sort()).toEqual([...OPTION_NAMES].sort());
  });

  test.each(wrongOptions)('$title is refused by name', ({ option, value }) => {
    const error = thrownBy(() => new ContainerPoolManager({ [option]: value }));
    expect(error).toBeInstanceOf(PoolError);
    expect(error).toEqual(invalidNaming(option));
    expect(error.message.length).toBeLessThan(600);
    expect(error.message).not.toContain('hush-hush');
  });

  test('is refused by getInstance just so, and leaves no instance', () => {
    const error = thrownBy(() => ContainerPoolManager.getInstance({ poolSize: -1 }));
    expect(error).toEqual(invalidNaming('poolSize must be a whole number from 0 to 10000'));
    expect(ContainerPoolManager.instance).toBeNull();
  });

  test.each([null, 'options', 42, [], new Map(), true])('options: %p are no options', (options) => {
    expect(thrownBy(() => new ContainerPoolManager(options))).toEqual(invalidNaming('options'));
  });

  test.each([
    ['poolsize', 'did you mean poolSize?'],
    ['size', 'known: '],
    ['timeOut', 'known: '],
    ['acquireTimout', 'did you mean acquireTimeout?'],
    ['memmory', 'did you mean memory?'],
    ['engine.host', 'no option'],
    ['toString', 'no option'],
    ['privileged', 'no option'],
  ])('an unknown name, %s, is refused: %s', (option, advice) => {
    const error = thrownBy(() => new ContainerPoolManager({ [option]: 1 }));
    expect(error).toEqual(invalidNaming(option));
    expect(error.message).toContain(advice);
  });

  test('a poolSize beyond max is refused', () => {
    const error = thrownBy(() => new ContainerPoolManager({ poolSize: 5, max: 4 }));
    expect(error).toEqual(invalidNaming('poolSize must be at most max, which is 4; got 5'));
  });

  test.each([
    [{ min: 1, max: 5 }, 'poolSize.max must be at most max, which is 4; got 5'],
    [{ min: 3, max: 2 }, 'poolSize.min must be at most poolSize.max, which is 2; got 3'],
    [
      { min: -1, max: 2 },
      'poolSize.min must be a whole number from 0 to 10000 (containers); got -1',
    ],
    [{ min: 1 }, 'poolSize.max must be a whole number from 0 to 10000 (containers); got undefined'],
    [{ min: 1, max: 2, mx: 3 }, 'poolSize.mx is no option; did you mean max?'],
  ])('poolSize: %j is refused, and what is wrong with it named', (poolSize, message) => {
    const error = thrownBy(() => new ContainerPoolManager({ poolSize, max: 4 }));
    expect(error).toEqual(invalidNaming(message));
  });
});

describe('a wrong environment variable', () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const variable of Object.keys(WRONG_VARIABLES)) {
      if (before[variable] === undefined) delete process.env[variable];
      else process.env[variable] = before[variable];
    }
  });

  const cases = Object.entries(WRONG_VARIABLES).flatMap(([variable, texts]) =>
    texts.map((text) => [variable, text]),
  );

  test.each(cases)('%s=%j is refused by name, with what it was', (variable, text) => {
    process.env[variable] = text;
    const error = thrownBy(() => ContainerPoolManager.getInstance());
    expect(error).toBeInstanceOf(PoolError);
    expect(error).toEqual(invalidNaming(variable));
    expect(error.message).toContain(inspect(text));
  });
});

test('no wrong value came as far as a native pool', () => {
  expect(double.pools).toHaveLength(0);
});

describe('a wrong argument', () => {
  let pool;
  let container;
  beforeAll(async () => {
    pool = new ContainerPoolManager();
    container = await pool.acquire();
  });

  const noScript = [undefined, null, 42, true, {}, () => {}, Symbol('x'), 1n, new Date(0)];
  test.each(noScript)('execute(%p): a script is a string or bytes', async (script) => {
    await expect(container.execute(script)).rejects.toEqual(invalidNaming('script'));
  });

  test.each([new Uint16Array(1), new ArrayBuffer(1), new String('print(1)')])(
    'execute(%p): not even one that could be made a string or bytes',
    async (script) => {
      await expect(container.execute(script)).rejects.toEqual(invalidNaming('script'));
    },
  );

  test.each([
    ['null', null, 'env'],
    ['text', 'A=1', 'env'],
    ['an array', ['A=1'], 'env'],
    ['a Map', new Map([['A', '1']]), 'env'],
    ['a null value', { A: null }, "env['A']"],
    ['an object value', { A: {} }, "env['A']"],
    ['an array value', { A: ['1'] }, "env['A']"],
    ['a function value', { A: () => {} }, "env['A']"],
    ['a symbol value', { A: Symbol('x') }, "env['A']"],
    ['a bigint value', { A: 1n }, "env['A']"],
    ['a NUL in a value', { A: 'a\0b' }, "env['A']"],
    ['a NUL in a name', { 'A\0': '1' }, "env['A\\x00']"],
    ['an = in a name', { 'A=B': '1' }, "env['A=…']"],
    ['an empty name', { '': '1' }, 'env'],
  ])('env: %s', async (_, env, path) => {
    const refused = invalidNaming(path);
    await expect(container.execute('', env)).rejects.toEqual(refused);
    await expect(container.executeCommand(['true'], { env })).rejects.toEqual(refused);
    await expect(pool.run('', { env })).rejects.toEqual(refused);
  });

  test('a wrong value of a variable is not in the message: it may be a secret', async () => {
    const error = await container.execute('', { TOKEN: { key: 'hush' } }).catch((e) => e);
    expect(error.message).toBe(
      "env['TOKEN'] must be a string, a number or a boolean; got an object",
    );
  });

  test.each([
    ['a script', (text) => container.execute([text, 1])],
    ['a command that is a line', (text) => container.executeCommand(text)],
    ['env that is text', (text) => container.execute('', text)],
    ['env that is a list', (text) => container.execute('', [text])],
    ['a value of a variable', (text) => container.execute('', { A: [text] })],
    ['a value in the name of one', (text) => container.execute('', { [`A=${text}`]: '' })],
    ['a value with a NUL', (text) => container.execute('', { A: `${text}\0` })],
    ['Env that is text', (text) => container.executeCommand(['true'], { Env: `A=${text}` })],
    ['Env that is no pair', (text) => container.executeCommand(['true'], { Env: [text] })],
    ['args that are text', (text) => container.execute('', {}, text)],
    ['an argument with a NUL', (text) => container.execute('', {}, [`${text}\0`])],
    ['stdin that is a list', (text) => container.executeCommand(['cat'], { stdin: [text] })],
    ['stdin of a script', (text) => container.execute('', {}, [], { stdin: text })],
    ['options that are text', (text) => container.execute('', {}, [], text)],
    ['options of a command that are text', (text) => container.executeCommand(['true'], text)],
    ['options of run that are text', (text) => pool.run('', text)],
  ])('%s is not in the message: it may be secret', async (_, call) => {
    const error = await call('hush-0815').catch((e) => e);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(`${error.message} ${error.stack}`).not.toContain('hush-0815');
  });

  test.each([
    ['null', null, 'args'],
    ['text', 'a', 'args'],
    ['an object', { 0: 'a' }, 'args'],
    ['null in it', ['a', null], 'args[1]'],
    ['a boolean in it', [true], 'args[0]'],
    ['a hole', new Array(1), 'args[0]'],
    ['NUL', ['a\0'], 'args[0]'],
  ])('args: %s', async (_, args, path) => {
    await expect(container.execute('', {}, args)).rejects.toEqual(invalidNaming(path));
    await expect(pool.run('', { args })).rejects.toEqual(invalidNaming(path));
  });

  test.each([
    ['undefined', undefined, 'cmd'],
    ['null', null, 'cmd'],
    ['text', 'ls -la', "['sh', '-c', line]"],
    ['nothing', [], 'cmd'],
    ['an empty program', [''], 'cmd[0]'],
    ['a number', ['sleep', 1], 'cmd[1]'],
    ['NUL', ['a\0'], 'cmd[0]'],
    ['a hole', new Array(1), 'cmd[0]'],
  ])('cmd: %s', async (_, cmd, path) => {
    await expect(container.executeCommand(cmd)).rejects.toEqual(invalidNaming(path));
  });

  test('execute([]) is a command without words', async () => {
    await expect(container.execute([])).rejects.toEqual(invalidNaming('cmd'));
    await expect(pool.run([])).rejects.toEqual(invalidNaming('cmd'));
  });

  const wrongCallOptions = [
    [{ timeout: -1 }, 'timeout'],
    [{ timeout: 1.5 }, 'timeout'],
    [{ timeout: '5s' }, 'timeout'],
    [{ timeout: null }, 'timeout'],
    [{ timeout: NaN }, 'timeout'],
    [{ timeout: 2 ** 31 }, 'timeout'],
    [{ signal: null }, 'signal'],
    [{ signal: 'SIGTERM' }, 'signal'],
    [{ signal: {} }, 'signal'],
    [{ signal: new AbortController() }, 'signal'],
    [{ maxOutputBytes: -1 }, 'maxOutputBytes'],
    [{ maxOutputBytes: 1.5 }, 'maxOutputBytes'],
    [{ maxOutputBytes: 'lots' }, 'maxOutputBytes'],
    [{ maxOutputBytes: null }, 'maxOutputBytes'],
    [{ onStdout: true }, 'onStdout'],
    [{ onStdout: null }, 'onStdout'],
    [{ onStderr: 'console.log' }, 'onStderr'],
    [{ cwd: '' }, 'cwd'],
    [{ cwd: 1 }, 'cwd'],
    [{ cwd: '/a\0' }, 'cwd'],
    [{ encoding: 'latin1' }, 'encoding'],
    [{ encoding: null }, 'encoding'],
    [{ trim: 'yes' }, 'trim'],
    [{ trim: true, encoding: 'buffer' }, 'trim'],
    [{ collect: 1 }, 'collect'],
    [{ timeOut: 1 }, 'did you mean timeout?'],
    [{ user: 'root' }, 'user is no option'],
  ];

  test.each(wrongCallOptions)('call options: %p', async (options, path) => {
    const refused = invalidNaming(path);
    await expect(container.execute('', {}, [], options)).rejects.toEqual(refused);
    await expect(container.execute(['true'], options)).rejects.toEqual(refused);
    await expect(container.executeCommand(['true'], options)).rejects.toEqual(refused);
    await expect(pool.run('', options)).rejects.toEqual(refused);
    await expect(pool.run(['true'], options)).rejects.toEqual(refused);
  });

  test.each([null, 'x', 42, [], true])('call options: %p are no options', async (options) => {
    const refused = invalidNaming('options');
    await expect(container.execute('', {}, [], options)).rejects.toEqual(refused);
    await expect(container.executeCommand(['true'], options)).rejects.toEqual(refused);
    await expect(pool.run('', options)).rejects.toEqual(refused);
    await expect(pool.acquire(options)).rejects.toEqual(refused);
    await expect(pool.shutdown(options)).rejects.toEqual(refused);
  });

  test('stdin is for commands', async () => {
    await expect(container.execute('', {}, [], { stdin: 'x' })).rejects.toEqual(
      invalidNaming('stdin is for commands'),
    );
    await expect(pool.run('', { stdin: 'x' })).rejects.toEqual(invalidNaming('stdin'));
  });

  test.each([42, true, null, {}, [1], new Uint16Array(2), new ArrayBuffer(2)])(
    'stdin: %p',
    async (stdin) => {
      await expect(container.executeCommand(['cat'], { stdin })).rejects.toEqual(
        invalidNaming('stdin'),
      );
    },
  );

  test.each([
    [{ Env: { A: '1' } }, 'Env'],
    [{ Env: ['A'] }, 'Env[0]'],
    [{ Env: ['=1'] }, 'Env[0]'],
    [{ Env: [1] }, 'Env[0]'],
    [{ Env: ['A=\0'] }, "Env['A']"],
    [{ Env: ['A=1'], env: {} }, 'either env or Env'],
    [{ WorkingDir: '' }, 'WorkingDir'],
    [{ WorkingDir: '/a', cwd: '/b' }, 'either cwd or WorkingDir'],
    [{ Tty: true }, 'Tty: true is not supported'],
    [{ Privileged: true }, 'Privileged: true is not supported'],
    [{ Detach: true }, 'Detach: true is not supported'],
    [{ AttachStdout: false }, 'AttachStdout: false is not supported'],
    [{ User: 'root' }, 'User is no option'],
    [{ Cmd: ['ls'] }, 'Cmd is no option'],
  ])("Docker's spellings: %p", async (options, path) => {
    await expect(container.executeCommand(['true'], options)).rejects.toEqual(invalidNaming(path));
  });

  test.each([
    [{ timeout: -1 }, 'timeout'],
    [{ timeout: '1' }, 'timeout'],
    [{ timeout: null }, 'timeout'],
    [{ signal: 1 }, 'signal'],
    [{ acquireTimeout: 1 }, 'acquireTimeout is no option'],
  ])('acquire(%p)', async (options, path) => {
    await expect(pool.acquire(options)).rejects.toEqual(invalidNaming(path));
  });

  test.each([-1, 1.5, '5', null, Infinity, NaN, 2 ** 31])('shutdown: grace %p', async (grace) => {
    await expect(pool.shutdown({ grace })).rejects.toEqual(invalidNaming('grace'));
  });

  test.each([-1, 1.5, '5', null, undefined, NaN])('poolSize = %p', (value) => {
    expect(
      thrownBy(() => {
        pool.poolSize = value;
      }),
    ).toEqual(invalidNaming('poolSize'));
    expect(pool.poolSize).toBe(2);
  });

  test('run: acquireTimeout, args of a command, and no script at all', async () => {
    await expect(pool.run('', { acquireTimeout: -1 })).rejects.toEqual(
      invalidNaming('acquireTimeout'),
    );
    await expect(pool.run(['ls'], { args: ['-l'] })).rejects.toEqual(invalidNaming('args'));
    await expect(pool.run(undefined)).rejects.toEqual(invalidNaming('run takes'));
    await expect(pool.run({ script: '' })).rejects.toEqual(invalidNaming('run takes'));
  });

  test.each([undefined, null, 42, '', {}, []])(
    'the plain functions: %p is no container',
    async (what) => {
      await expect(ContainerPoolManager.execute(what, '')).rejects.toEqual(
        invalidNaming('container'),
      );
      await expect(ContainerPoolManager.destroy(what)).rejects.toEqual(invalidNaming('container'));
    },
  );

  test('none of them reached the native side', () => {
    expect(double.jobs).toHaveLength(0);
    expect(double.pools[0].leased.size).toBe(1);
    expect(double.pools[0].shutdowns).toHaveLength(0);
  });
});

test("an address that only the native side refuses is the constructor's error, too", () => {
  const refusing = createNativeDouble();
  refusing.refusal = JSON.stringify({ code: 'INVALID_ARGUMENT', message: 'no pipes here' });
  const loaded = loadWithDouble(refusing);
  const error = thrownBy(() => new loaded.ContainerPoolManager());
  expect(error).toBeInstanceOf(loaded.ContainerPoolManager.PoolError);
  expect(error).toEqual(invalidNaming('no pipes here'));
});
