'use strict';

const fs = require('node:fs');

const { Bars, say } = require('./console');
const { connect } = require('./engine');
const { make, prepare } = require('./recipe');

/** How long a registry may stay silent before it counts as out of reach. */
const SILENCE_MS = 10_000;

/** Set by the first pull that failed: the other images need not wait for the same answer. */
let unreachable = null;

async function isThere(docker, image) {
  try {
    await docker.getImage(image).inspect();
    return true;
  } catch (error) {
    if (error.statusCode === 404) return false;
    throw error;
  }
}

/** Adds up the bytes of all layers the engine has told of. */
function layerProgress(onProgress) {
  const layers = new Map();
  return ({ id, status, progressDetail }) => {
    if (!id || !progressDetail?.total || status !== 'Downloading') return;
    layers.set(id, progressDetail);
    let done = 0;
    let total = 0;
    for (const layer of layers.values()) {
      done += layer.current;
      total += layer.total;
    }
    onProgress(done / total, `${(done / 1e6).toFixed(0)} of ${(total / 1e6).toFixed(0)} MB`);
  };
}

/** Pulls through the engine; rejects when nothing has come for `SILENCE_MS`. */
async function pull(docker, image, onProgress) {
  const abort = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error('no answer')), SILENCE_MS);
  };
  heard();
  try {
    const stream = await docker.pull(image, { abortSignal: abort.signal });
    const progress = layerProgress(onProgress);
    await new Promise((resolve, reject) => {
      abort.signal.addEventListener('abort', () => {
        stream.destroy();
        reject(abort.signal.reason);
      });
      docker.modem.followProgress(
        stream,
        (error) => (error ? reject(error) : resolve()),
        (event) => {
          heard();
          progress(event);
        },
      );
    });
  } finally {
    clearTimeout(timer);
  }
}

async function importTarball(docker, image, { file, recipe }) {
  // The engine sets the name when it has all of it, so an interrupted import leaves no image. Podman
  // (4.3) takes no tag but in the name.
  const stream = await docker.importImage(fs.createReadStream(file), {
    repo: image,
    changes: recipe.changes,
  });
  await new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
}

async function withBars(images, work) {
  const bars = new Bars();
  try {
    const rows = images.map((image) => bars.add(image));
    await work(rows);
  } finally {
    bars.stop();
  }
}

/** Pulls what a registry has; resolves with the images that are still missing. */
async function pullAll(docker, images) {
  const missing = [];
  await withBars(images, async (rows) => {
    for (const [at, image] of images.entries()) {
      try {
        if (unreachable) throw unreachable;
        await pull(docker, image, (fraction, note) => rows[at].update(0.99 * fraction, note));
        // Podman tells of a failure in words of its own, which docker-modem takes for progress.
        if (!(await isThere(docker, image))) throw new Error('the pull failed');
        rows[at].update(1, 'pulled');
      } catch (error) {
        // With 404 the registry answered, and has no such image: that says nothing of the others.
        if (error.statusCode !== 404) unreachable = error;
        missing.push(image);
      }
    }
  });
  return missing;
}

/** Makes images here, side by side. */
async function makeAll(docker, images) {
  const plans = [];
  for (const image of images) plans.push(await prepare(image));
  for (const [at, image] of images.entries()) {
    const { recipe, args } = plans[at];
    say(`  ${image}: ${recipe.title}${args ? '' : ' (kept from an earlier run)'}`);
  }
  await withBars(images, (rows) =>
    Promise.all(
      images.map(async (image, at) => {
        await make(plans[at], (fraction) => rows[at].update(0.95 * fraction));
        await importTarball(docker, image, plans[at]);
        rows[at].update(1, 'imported');
      }),
    ),
  );
}

/**
 * Makes sure the engine has the images: there already, else pulled, else made here, with a bar for
 * each that is not there.
 */
async function ensureImages(engine, images) {
  const docker = connect(engine);
  const there = await Promise.all(images.map((image) => isThere(docker, image)));
  const absent = images.filter((_, at) => !there[at]);
  if (absent.length === 0) return;
  const missing = await pullAll(docker, absent);
  if (missing.length === 0) return;
  say(`No registry has them (${unreachable?.message ?? 'not found'}), so they are made here:`);
  await makeAll(docker, missing);
}

/** Removes every image but these from an engine of our own: what tests pulled, tagged or left. */
async function pruneImages(engine, keep) {
  const docker = connect(engine);
  for (const { Id, RepoTags } of await docker.listImages()) {
    const tags = (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>');
    for (const tag of tags) {
      if (!keep.includes(tag)) await docker.getImage(tag).remove({ force: true });
    }
    if (tags.length === 0)
      await docker
        .getImage(Id)
        .remove({ force: true })
        .catch(() => {});
  }
}

module.exports = { ensureImages, pruneImages };
