'use strict';

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const { buildAddon } = require('../harness/addon');
const { defer } = require('../harness/cleanup');
const { Bars, say, seconds } = require('../harness/console');
const { connect, findEngine } = require('../harness/engine');
const { ensureImages } = require('../harness/images');
const { OwnEngine } = require('../harness/own-engine');
const { PlainEngine } = require('./floor');
const { describe, load } = require('./machine');
const { measure } = require('./measure');
const { plotsOf } = require('./plots');
const { jsonOf, reportOf, textOf } = require('./report');
const { judge } = require('./targets');

const LABEL = 'bench.scientist-pool';
const RUN_LABEL = 'bench.scientist-pool.run';
/** No container of a run lives this long: an older one was left by a run that was killed. */
const ABANDONED_AFTER_S = 3600;
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
  if (options.sides.includes('scientist-pool')) {
    await buildAddon({ show: true });
  }
  const found = await prepareEngine(options);
  const docker = connect(found);
  const run = randomUUID();
  const labels = { [LABEL]: '1', [RUN_LABEL]: run };
  await removeContainers(docker, { [LABEL]: '1' }, Date.now() / 1000 - ABANDONED_AFTER_S);
  const stop = new AbortController();
  const removeAll = defer(() => {
    stop.abort(new Error('The measurement was stopped'));
    return removeEvery(docker, { [RUN_LABEL]: run });
  });

  const context = {
    docker,
    engine: await PlainEngine.at(docker.modem),
    image: options.image,
    labels,
    signal: stop.signal,
  };
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
        quick: options.quick,
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
  if (options.plots) {
    fs.mkdirSync(options.plots, { recursive: true });
    for (const [name, svg] of plotsOf(report)) {
      fs.writeFileSync(path.join(options.plots, `${name}.svg`), svg);
    }
    say(`Drawn into ${options.plots}`);
  }
  return report.scenarios.some(({ error }) => error) ? 1 : 0;
}

/** The engine asked for, else one that is there, else one of our own; with the images in it. */
async function prepareEngine({ engine, image, scenarios }) {
  if (engine) {
    process.env.DOCKER_HOST = engine;
  }
  const found = (await findEngine()) ?? (await OwnEngine.start());
  // The package finds it there, as it does in real use.
  Object.assign(process.env, found.env);
  const images = scenarios.flatMap((scenario) => scenario.images ?? []);
  await ensureImages(found, [...new Set([image, ...images])]);
  return found;
}

/** Removes them again and again until none is left: some may still be on their way. */
async function removeEvery(docker, labels) {
  for (;;) {
    const removed = await removeContainers(docker, labels);
    if (removed === 0) {
      await pause(LATE_MS);
      if ((await removeContainers(docker, labels)) === 0) {
        return;
      }
    }
  }
}

/** Removes the containers with these labels, made before a time where one is given. */
async function removeContainers(docker, labels, madeBefore = Infinity) {
  const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const containers = await docker.listContainers({ all: true, filters: { label } });
  const ours = containers.filter(({ Created }) => Created < madeBefore);
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
