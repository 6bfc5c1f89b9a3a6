'use strict';

// What a caller passes to a script is nobody else's business: it shows neither in what the engine keeps
// and tells of a container, nor in the host's list of processes, nor in errors, events and counts.

const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const { inspect } = require('node:util');

const { containersOf, docker } = require('../support/docker');
const { IMAGE, NO_PYTHON, Pools } = require('../support/engine');
const { EngineEvents } = require('./engine-events');

const pools = new Pools();
afterEach(pools.close);

const canary = () => `canary-${randomBytes(12).toString('hex')}`;

/** That of a pool which has one. */
const SECRET = canary();

/** Arguments of every process on this machine. */
function processArguments() {
  const read = (pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      // It has ended meanwhile.
      return '';
    }
  };
  return fs
    .readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(read)
    .join('\n');
}

/**
 * Has a call under way and looks for its secrets in every place where somebody else might.
 *
 * @param {(canaries: object, hold: object) => Promise} call runs until its output says `running`
 * @returns {Promise<Record<string, string[]>>} place → the names of the canaries found there
 */
async function leaks(options, call) {
  const canaries = { script: canary(), env: canary(), argument: canary(), output: canary() };
  canaries.secret = SECRET;
  const pool = pools.make({ poolSize: 1, ...options });
  const told = [];
  for (const event of ['engine', 'created', 'acquired', 'destroyed', 'lost', 'state', 'error']) {
    pool.on(event, (...details) => told.push(details));
  }
  await pool.initialize();
  const engineEvents = await EngineEvents.listen(docker());
  const container = await pool.acquire();
  let started;
  const running = new Promise((resolve) => {
    started = resolve;
  });
  const onStdout = (text) => text.includes('running') && started();
  const ended = call(container, canaries, { onStdout, timeout: 60_000 }).catch((error) => error);
  await running;

  const handle = docker().getContainer(container.id);
  const inspected = await handle.inspect();
  const execs = await Promise.all(
    (inspected.ExecIDs ?? []).map((id) => docker().getExec(id).inspect()),
  );
  const listed = await containersOf(pool);
  const shown = processArguments();
  const security = inspect(container, { depth: 9 }) + JSON.stringify(container.security);
  await container.destroy();
  const error = await ended;

  const places = {
    'container config': JSON.stringify([inspected, listed]),
    'exec config': JSON.stringify(execs),
    'engine events': JSON.stringify(await engineEvents.close()),
    processes: shown,
    'error of the call': `${inspect(error, { depth: 9 })} ${error.stack}`,
    'pool events': inspect(told, { depth: 9 }),
    stats: JSON.stringify(pool.stats()),
    container: security,
  };
  expect(error.code).toBe('CONTAINER_TERMINATED');
  const found = {};
  for (const [place, text] of Object.entries(places)) {
    const names = Object.keys(canaries).filter((name) => text.includes(canaries[name]));
    if (names.length > 0) found[place] = names;
  }
  return found;
}

const wait = (canaries) =>
  `# ${canaries.script}\nimport time\nprint("running", ${JSON.stringify(canaries.output)}, flush=True)\ntime.sleep(600)`;

const shell = (canaries) => `: ${canaries.script}; echo running ${canaries.output}; sleep 600`;

test('a script leaves no trace of itself, its environment, its arguments and its output', async () => {
  const found = await leaks({ image: IMAGE }, (container, canaries, options) =>
    container.execute(wait(canaries), { SECRET: canaries.env }, [canaries.argument], options),
  );
  expect(found).toEqual({});
});

test("a command's words are its process's arguments, and that is all that shows", async () => {
  const found = await leaks({ image: IMAGE }, (container, canaries, options) =>
    container.executeCommand(['sh', '-c', shell(canaries), 'sh', canaries.argument], {
      ...options,
      env: { SECRET: canaries.env },
    }),
  );
  expect(found).toEqual({ processes: ['script', 'argument', 'output'] });
});

test("the engine's exec shows what it is told: words and environment", async () => {
  const found = await leaks({ image: NO_PYTHON }, (container, canaries, options) =>
    container.executeCommand(['sh', '-s', canaries.argument], {
      ...options,
      env: { SECRET: canaries.env },
      stdin: shell(canaries),
    }),
  );
  // The way to keep the script itself out of sight is stdin, here as well.
  expect(found).toEqual({
    'exec config': expect.arrayContaining(['argument']),
    'engine events': ['argument'],
    processes: ['argument'],
  });
});

test("a pool's secret leaves no trace of its value", async () => {
  const secrets = { TOKEN: { value: SECRET, hosts: ['api.test'] } };
  const found = await leaks(
    { image: IMAGE, network: { allow: ['api.test'] }, secrets },
    (container, canaries, options) => container.execute(wait(canaries), {}, [], options),
  );
  expect(found).toEqual({});
});
