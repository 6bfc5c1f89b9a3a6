'use strict';

// `npm run soak`: two processes under load on an engine of our own, and random faults to all three. At
// the end nothing may be left on the engine, every counter must add up, no answer may have been wrong,
// and the process that went through all of it must hold what it held at the beginning.

const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');

const { SetupError, defer, runMain } = require('../harness/cleanup');
const { say, seconds } = require('../harness/console');
const { installDependencies } = require('../harness/dependencies');

const USAGE = `npm run soak -- [--minutes 3] [--seed N]
`;

const IMAGE = 'python:3.9-slim';
const MIB = 2 ** 20;

/** By how much what the surviving process holds may have grown. */
const GROWTH = { heap: 4 * MIB, native: 48 * MIB, descriptors: 16, threads: 2 };

function readOptions(args) {
  const options = {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  };
  const { values } = parseArgs({ args, options });
  if (values.help) return null;
  const minutes = Number(values.minutes ?? 3);
  const seed = Number(values.seed ?? Date.now() % 2 ** 32);
  if (!(minutes > 0 && minutes <= 600)) throw new SetupError('--minutes: from 0 to 600', USAGE);
  if (!Number.isInteger(seed)) throw new SetupError('--seed: a whole number', USAGE);
  return { minutes, seed };
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(USAGE);
    return 0;
  }
  await installDependencies();
  await require('../harness/addon').buildAddon();
  return soak(options);
}

async function soak({ minutes, seed }) {
  const { EngineProxy } = require('../harness/proxy');
  const { connect } = require('../harness/engine');
  const { ensureImages } = require('../harness/images');
  const { OwnEngine } = require('../harness/own-engine');
  const { FAULTS, choose } = require('./soak/faults');
  const { Loader } = require('./soak/loader');
  const { Random } = require('../harness/random');

  const random = new Random(seed);
  say(
    `seed ${seed}, ${minutes} minutes; again by: npm run soak -- --minutes ${minutes} --seed ${seed}`,
  );
  const engine = await OwnEngine.start({ 'live-restore': random.between(0, 1) === 1 });
  await ensureImages(engine, [IMAGE]);
  const proxy = await EngineProxy.start(engine.host);
  defer(() => proxy.close());
  const label = `soak-${process.pid}`;

  // One goes through everything, behind the proxy; the other one is killed now and then.
  const survivor = new Loader({ engine: proxy.address, label, seed: random.between(0, 1e9) });
  const start = () => new Loader({ engine: engine.host, label, seed: random.between(0, 1e9) });
  let other = start();
  const lost = { processes: 0, calls: 0, wrong: [] };
  const restart = async () => {
    const { calls, wrong } = await other.ask('stats');
    lost.processes += 1;
    lost.calls += calls;
    lost.wrong.push(...wrong);
    await other.kill();
    other = start();
    await other.ask('go');
  };
  const run = { engine, proxy, random, label, restart };

  const end = Date.now() + minutes * 60_000;
  await survivor.ask('go');
  await other.ask('go');
  await sleep(Math.min(20_000, minutes * 15_000));
  const before = await survivor.ask('rest');
  await survivor.ask('go');

  const caused = {};
  while (Date.now() < end) {
    const name = choose(random);
    caused[name] = (caused[name] ?? 0) + 1;
    await FAULTS[name].cause(run);
    await sleep(random.between(100, 2000));
  }

  say('no more faults; the pools have to come to rest by themselves');
  await sleep(5000);
  const [after] = await Promise.all([survivor.ask('rest'), other.ask('rest')]);
  const results = { survivor: await survivor.ask('end'), other: await other.ask('end') };
  // What a killed process had asked for in its last moment is for the next one to find.
  const next = start();
  await next.ask('go');
  await next.ask('rest');
  await next.ask('end');
  const left = await connect(engine).listContainers({ all: true });
  for (const loader of [survivor, other, next]) await loader.kill();

  return report({ caused, before, after, results, lost, left, strangers: engine.strangers() });
}

function report({ caused, before, after, results, lost, left, strangers }) {
  const Table = require('cli-table3');
  const table = (head, rows) => {
    const drawn = new Table({ head, style: { head: [], border: [] } });
    drawn.push(...rows);
    say(drawn.toString());
  };
  const failures = [];
  const hold = (holds, what) => {
    if (!holds) failures.push(what);
  };

  table(['fault', 'times'], Object.entries(caused).sort());

  const rows = [];
  for (const [name, { calls, ends, wrong, stats }] of Object.entries(results)) {
    const { created, destroyed, abandoned, acquiredWarm, acquiredOnDemand } = stats.totals;
    const ended = Object.values(ends).reduce((sum, count) => sum + count, 0);
    hold(ended === calls, `${name}: ${calls} calls, and ${ended} ends`);
    hold(
      created === destroyed + abandoned,
      `${name}: created ${created} is not destroyed ${destroyed} + abandoned ${abandoned}`,
    );
    const leases = acquiredWarm + acquiredOnDemand;
    hold(leases <= created, `${name}: ${leases} leases of ${created} containers`);
    for (const count of ['warm', 'creating', 'leased', 'destroying', 'waiting']) {
      hold(stats[count] === 0, `${name}: ${stats[count]} ${count} after the shutdown`);
    }
    hold(wrong.length === 0, `${name}: ${wrong.join('\n  ')}`);
    rows.push([name, calls, ...[created, destroyed, abandoned, stats.totals.lost], text(ends)]);
  }
  rows.push([`${lost.processes} killed`, lost.calls, '', '', '', '', '']);
  hold(lost.wrong.length === 0, `killed: ${lost.wrong.join('\n  ')}`);
  table(
    ['process', 'calls', 'created', '= destroyed', '+ abandoned', 'of them lost', 'calls ended'],
    rows,
  );

  table(
    ['the surviving process', 'at first', 'at last', 'may grow by'],
    Object.entries(GROWTH).map(([name, most]) => {
      const isBytes = most > 1000;
      const shown = (value) => (isBytes ? `${(value / MIB).toFixed(1)} MiB` : value);
      hold(
        after[name] - before[name] <= most,
        `${name} grew from ${shown(before[name])} to ${shown(after[name])}`,
      );
      return [name, shown(before[name]), shown(after[name]), shown(most)];
    }),
  );
  say(`at rest ${seconds(after.ms)} after the load ended`);

  hold(left.length === 0, `left on the engine: ${left.map(({ Id, State }) => `${Id} ${State}`)}`);
  // The shims of containers that are gone are left by an engine that is killed together with its
  // containerd (20.10), whoever its client was.
  const processes = strangers.filter(({ command }) => !command.includes('containerd-shim'));
  hold(
    processes.length === 0,
    `left beside the engine: ${processes.map(({ command }) => command).join('; ')}`,
  );
  for (const failure of failures) say(`FAILED: ${failure}`);
  if (failures.length === 0) say('nothing left, nothing wrong, nothing grown');
  return failures.length === 0 ? 0 : 1;
}

/** `{ ok: 5, CONTAINER_LOST: 2 }` → `5 ok, 2 CONTAINER_LOST` */
function text(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join('\n');
}

runMain(main);
