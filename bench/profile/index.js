'use strict';

// `npm run bench:profile [-- --engine ADDRESS] [--json FILE]`: where the time of a warm execute goes. The
// kernel tells of each switch of each processor (`perf record -e sched:sched_switch`) while `calls.js` makes
// calls; what ran during a call is added up by whose thread it was. Linux, root and perf; on a machine that
// does nothing else, for the engine's threads are known by their names.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { ensureProgram } = require('../../harness/apt');
const { defer, runMain } = require('../../harness/cleanup');
const { run } = require('../../harness/command');
const { installDependencies } = require('../../harness/dependencies');

/** Of the kernel's ring for each processor: with less, switches get lost before perf has written them. */
const RING_MIB = 16;

runMain(async () => {
  await installDependencies();
  const { buildAddon } = require('../../harness/addon');
  const { say } = require('../../harness/console');
  const { connect, findEngine } = require('../../harness/engine');
  const { ensureImages } = require('../../harness/images');
  const { OwnEngine } = require('../../harness/own-engine');
  const { describe, load } = require('../machine');
  const { PROFILE } = require('../docs');
  const { profileOf } = require('./switches');

  const { values } = parseArgs({
    options: {
      engine: { type: 'string' },
      json: { type: 'string', default: PROFILE },
      image: { type: 'string', default: 'python:3.9-slim' },
    },
  });
  await buildAddon({ show: true });
  const perf = await ensureProgram('perf', ['linux-perf']);
  if (values.engine) process.env.DOCKER_HOST = values.engine;
  const engine = (await findEngine()) ?? (await OwnEngine.start());
  Object.assign(process.env, engine.env);
  await ensureImages(engine, [values.image]);

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scientist-pool-profile-'));
  const remove = defer(async () => fs.rmSync(folder, { recursive: true, force: true }));
  const [data, calls, script] = ['perf.data', 'calls.json', 'switches.txt'].map((name) =>
    path.join(folder, name),
  );
  const before = load();
  const node = [process.execPath, path.join(__dirname, 'calls.js'), values.image, calls];
  const record = ['record', '--all-cpus', '--clockid', 'CLOCK_MONOTONIC', '--quiet'];
  const size = ['--mmap-pages', `${RING_MIB}M`];
  await run(
    perf,
    [...record, ...size, '--event', 'sched:sched_switch', '-o', data, '--', ...node],
    {
      env: engine.env,
    },
  );
  const fields = 'cpu,time,event,trace';
  await run('sh', [
    '-c',
    `"$0" script --ns -F ${fields} -i "$1" > "$2" 2>/dev/null`,
    perf,
    data,
    script,
  ]);
  const profile = profileOf(fs.readFileSync(script, 'utf8'), JSON.parse(fs.readFileSync(calls)));
  const facts = {
    ...(await describe(connect(engine), values.image)),
    date: new Date().toISOString(),
    load: { before, after: load() },
  };
  fs.mkdirSync(path.dirname(values.json), { recursive: true });
  fs.writeFileSync(values.json, `${JSON.stringify({ ...facts, ...profile }, null, 1)}\n`);
  for (const { who, cpuUs, share } of profile.parts) {
    say(
      `${who.padEnd(44)} ${String(cpuUs).padStart(6)} µs ${(share * 100).toFixed(0).padStart(4)} %`,
    );
  }
  say(`Written to ${values.json}`);
  await remove();
  return 0;
});
