'use strict';

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');

const { buildAddon } = require('../harness/addon');
const { defer } = require('../harness/cleanup');
const { Bars, say, seconds } = require('../harness/console');
const { connect, findEngine } = require('../harness/engine');
const { ensureArchives } = require('../harness/archives');
const { ensureImages } = require('../harness/images');
const { OwnEngine } = require('../harness/own-engine');
const { Floor } = require('./floor');
const { describe, load } = require('./machine');
const { measure } = require('./measure');
const { textOf } = require('./markdown');
const { jsonOf, reportOf } = require('./report');
const { judge } = require('./targets');

const LABEL = 'bench.scientist-pool';
const LATE_MS = 500;
/** Figures of a run that was stopped half-way would mislead: none are shown. */
const INTERRUPTED = 130;

/**
 * Sets up, measures, prints the tables.
 *
 * @param {ReturnType<import('./options').readOptions>} options
 * @returns {Promise<number>} the exit code: 1 where a scenario failed, 130 when interrupted
 */
async function bench(options) {
  await buildAddon({ show: true });
  const found = await prepareEngine(options);
  const docker = connect(found);
  const run = randomUUID();
  const stop = new AbortController();
  const removeAll = defer(() => {
    stop.abort(new Error('The measurement was stopped'));
    return removeEvery(docker, `${LABEL}=${run}`);
  });

  const context = {
    docker,
    image: options.image,
    labels: { [LABEL]: run },
    signal: stop.signal,
  };
  context.floor = await Floor.at(context);
  const facts = { ...(await describe(docker, options.image)), date: new Date().toISOString() };
  const before = load();
  const started = performance.now();
  say(`Measuring on ${found.host}, for ${options.minutes} minutes at most`);
  const bars = new Bars();
  let measured;
  try {
    measured = await measure(context, options, ({ name }) => bars.add(name));
  } finally {
    bars.stop();
  }
  if (stop.signal.aborted) {
    return INTERRUPTED;
  }
  await removeAll();

  const report = reportOf(
    measured,
    {
      ...facts,
      load: { before, after: load() },
      seconds: (performance.now() - started) / 1000,
      options: {
        n: options.n,
        minutes: options.minutes,
        sides: options.sides,
      },
    },
    judge(measured.results),
  );
  say(`\n${textOf(report)}\n\nMeasured in ${seconds(report.seconds * 1000)}`);
  if (options.json) {
    fs.writeFileSync(options.json, jsonOf(report));
    say(`Written to ${options.json}`);
  }
  return report.scenarios.some(({ error }) => error) ? 1 : 0;
}

/** The engine asked for, else one that is there, else one of our own; with the images in it. */
async function prepareEngine({ engine, image, scenarios, sides }) {
  if (engine) {
    process.env.DOCKER_HOST = engine;
  }
  const found = (await findEngine()) ?? (await OwnEngine.start());
  // The package finds it there, as it does in real use.
  Object.assign(process.env, found.env);
  const images = scenarios.flatMap((scenario) => scenario.images ?? []);
  const all = [...new Set([image, ...images])];
  await ensureImages(found, all);
  if (sides.includes('local')) await ensureArchives(found, all);
  return found;
}

/** Removes them again and again until none is left: some may still be on their way. */
async function removeEvery(docker, label) {
  for (;;) {
    const removed = await removeContainers(docker, label);
    if (removed === 0) {
      await pause(LATE_MS);
      if ((await removeContainers(docker, label)) === 0) {
        return;
      }
    }
  }
}

/** Removes the containers with a label. */
async function removeContainers(docker, label) {
  const filters = { label: [label] };
  const ours = await docker.listContainers({ all: true, filters });
  await Promise.all(
    ours.map(({ Id }) =>
      docker
        .getContainer(Id)
        .remove({ force: true })
        .catch((error) => {
          // Gone already, or going.
          if (error.statusCode !== 404 && error.statusCode !== 409) {
            throw error;
          }
        }),
    ),
  );
  return ours.length;
}

module.exports = { bench };
