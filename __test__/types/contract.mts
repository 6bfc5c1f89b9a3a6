// Checked by `npm run types`; never run. Each line stands for a promise of index.d.ts.

import type { Readable, Writable } from 'node:stream';

import Pool, {
  acquire,
  type Child,
  Container,
  type ContainerPoolManager,
  type destroy,
  type ExecuteResult,
  type ExitResult,
  execute,
  initialize,
  PoolError,
  type PoolErrorCode,
  type PoolOptions,
  type PoolStats,
  run,
  shutdown,
  spawn,
} from 'scientist-pool';

/** Fails to compile unless the two types are the same. */
function same<A, B>(
  ..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]
): void {}

same<typeof Pool, typeof ContainerPoolManager>();
same<typeof Pool.instance, Pool | null>();
Pool.instance = null;

const pool: ContainerPoolManager = Pool.getInstance({ poolSize: 4, memory: '256m' });
new Pool();

same<ReturnType<typeof pool.acquire>, Promise<Container>>();
same<typeof pool.pool, Container[]>();
same<ReturnType<typeof pool.stats>, PoolStats>();
pool.poolSize = 3;
pool.poolSize = { min: 2, max: 20 };
same<typeof pool.poolSize, number>();
// @ts-expect-error read-only
pool.image = 'x';
// @ts-expect-error read-only
pool.isInitializing = true;

await initialize();
await pool.initialize();
const container = await acquire({ timeout: 100, signal: AbortSignal.timeout(10) });

// Text unless asked for bytes.
const text = await container.execute('1', { A: 'x', B: 1, C: true, D: undefined }, ['a', 2]);
same<typeof text, ExecuteResult>();
same<typeof text.stdout, string>();
same<typeof text.signal, string | null>();
const bytes = await container.execute('1', {}, [], { encoding: 'buffer', timeout: 5, cpuTime: 5 });
same<typeof bytes.stdout, Buffer>();
const command = await container.execute(['ls', '-l'], { Env: ['A=1'], WorkingDir: '/', cwd: '/' });
same<typeof command.stdout, string>();
const raw = await container.executeCommand(['cat'], {
  stdin: new Uint8Array(2),
  encoding: 'buffer',
});
same<typeof raw.stderr, Buffer>();
same<Awaited<ReturnType<typeof container.destroy>>, void>();

same<typeof container.status, 'READY' | 'BUSY' | 'TERMINATED'>();
same<typeof container.expiry, number | null>();
same<typeof container.security.seccomp, string>();
same<(typeof container.security.unhonoured)[number]['option'], string | null>();
// @ts-expect-error what a container may do is settled when it is made
container.security.network = 'bridge';

// The plain functions infer alike.
same<Awaited<ReturnType<typeof destroy>>, void>();
const one = await execute(container, 'print(1)');
same<typeof one.stdout, string>();
const two = await execute(container.id, 'print(1)', {}, [], { encoding: 'buffer' });
same<typeof two.stdout, Buffer>();
const three = await execute(container, ['true'], { encoding: 'buffer' });
same<typeof three.stdout, Buffer>();
const four = await run('print(1)', { env: { A: 1 }, args: ['x'], acquireTimeout: 5 });
same<typeof four.stdout, string>();
const five = await pool.run(['cat'], { stdin: 'x', encoding: 'buffer' });
same<typeof five.stdout, Buffer>();
same<typeof five.timings.firstByte, number | null>();
await shutdown({ grace: 0 });

// Files.
await container.writeFiles({
  a: 'text',
  b: Buffer.alloc(1),
  c: new Uint8Array(1),
  d: {
    data: (async function* () {
      yield 'x';
    })(),
    mode: 0o755,
  },
  e: process.stdin,
});
same<Awaited<ReturnType<typeof container.readFile<'buffer'>>>, Buffer>();
const asBuffer = await container.readFile('a');
same<typeof asBuffer, Buffer>();
const asText = await container.readFile('a', 'utf8');
same<typeof asText, string>();
const asTextToo = await container.readFile('a', { encoding: 'utf8', maxBytes: '1m', timeout: 1 });
same<typeof asTextToo, string>();
const several = await container.readFiles(['**/*.csv', 'a'], { maxFiles: 1 });
same<typeof several, Record<string, Buffer>>();
const collected = await run('1', { files: { a: 'x' }, collect: 'out/*' });
same<typeof collected.files, Record<string, Buffer>>();
same<typeof collected.stdout, string>();
const binary = await run(['true'], { collect: ['a', 'b'], encoding: 'buffer' });
same<typeof binary.files, Record<string, Buffer>>();
same<typeof binary.stdout, Buffer>();
// @ts-expect-error no patterns: no files
(await run('1', { collect: false })).files;
// @ts-expect-error only `run` collects files
container.execute('', {}, [], { collect: 'a' });
// @ts-expect-error
container.writeFiles({ a: 1 });
// @ts-expect-error
container.writeFiles({ a: { data: 'x', mode: '755' } });

// What was spawned.
const cat = container.spawn(['cat'], { env: { A: 1 }, cwd: '/', maxOutputBytes: '1m' });
same<typeof cat, Child>();
same<typeof cat.stdin, Writable>();
same<typeof cat.stdout, Readable>();
same<typeof cat.exit, Promise<ExitResult>>();
for await (const line of cat) line satisfies string;
for await (const line of cat.lines({ from: 'stderr', maxLength: 80 })) line satisfies string;
cat.kill('SIGTERM') satisfies boolean;
// @ts-expect-error it does not end anything
cat.kill('SIGUSR1');
// @ts-expect-error streams take the place of callbacks
container.spawn('1', {}, [], { onStdout: () => {} });
const spawned = spawn(container, 'print(1)', { A: 1 }, ['x'], { encoding: 'utf8', timeout: 5 });
same<typeof spawned.stdin, null>();
same<ReturnType<typeof spawn>, Child>();
{
  await using child = spawn(container.id, ['true']);
  // @ts-expect-error not collected
  (await child.exit).stdout;
}

// Chunks come in the encoding asked for.
await container.execute('1', {}, [], { onStdout: (chunk) => chunk.trim(), timeout: 5 });
await container.execute('1', {}, [], { onStdout: async (chunk) => chunk satisfies string });
await pool.run('1', { encoding: 'buffer', onStderr: (chunk) => chunk.readUInt8(0) });

// Either, where it isn't known before.
const encoding = Math.random() < 0.5 ? 'utf8' : 'buffer';
const either = await run('1', { encoding });
same<typeof either.stdout, string | Buffer>();

// Events.
pool.on('pull', ({ image, current }) => {
  same<typeof image, string>();
  same<typeof current, number | null>();
});
pool.once('error', (error, { during }) => {
  same<typeof error, PoolError>();
  same<typeof during, 'prepare' | 'create' | 'destroy'>();
});
pool.off('acquired', ({ warm }) => warm satisfies boolean);

// Errors.
const error = new PoolError('POOL_CLOSED', 'closed', { cause: 1 });
same<typeof error.code, PoolErrorCode>();
error satisfies Error;
// @ts-expect-error no such code
new PoolError('NOPE', '');

// Disposal.
{
  await using own = new Pool();
  await using leased = await own.acquire();
  leased.id satisfies string;
}

// What is wrong at run time is wrong here, as far as types can tell.
const wrong: PoolOptions[] = [
  // @ts-expect-error
  { poolSize: '2' },
  // @ts-expect-error
  { poolSize: null },
  // @ts-expect-error
  { poolSize: { min: 2 } },
  // @ts-expect-error
  { poolsize: 2 },
  // @ts-expect-error
  { pull: 'sometimes' },
  // @ts-expect-error
  { hardening: true },
  // @ts-expect-error
  { ulimits: { files: 1 } },
  // @ts-expect-error
  { engine: { address: 'x' } },
  // @ts-expect-error
  { memory: 'much' },
];
same<typeof wrong, PoolOptions[]>();
const right: PoolOptions = {
  poolSize: { min: 0, max: 20 },
  max: Infinity,
  user: null,
  tmpfs: { '/tmp': false, '/scratch': 'size=1m' },
  ulimits: { nofile: { soft: 1, hard: 2 }, core: 0 },
  engine: 'unix:///run/docker.sock',
  memory: '1.5g',
};
new Pool(right);
// @ts-expect-error a script is its own stdin
container.execute('', {}, [], { stdin: 'x' });
// @ts-expect-error no null
container.execute('', null);
// @ts-expect-error
container.execute('', { A: null });
// @ts-expect-error
container.execute(42);
// @ts-expect-error
container.executeCommand('ls');
// @ts-expect-error
container.executeCommand(['ls'], { Tty: true });
// @ts-expect-error
container.execute('', {}, [], { encoding: 'latin1' });
// @ts-expect-error containers come from the pool
new Container();
