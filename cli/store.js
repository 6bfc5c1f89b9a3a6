'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { Home } = require('../lib/binding/home');
const { hostTarget } = require('../lib/binding/target');
const { PoolError } = require('../lib/errors');

/** The program that keeps the images of the local engine. It is installed beside the binary. */
const PROGRAM = 'scientist-pool-images';

const failed = (why) => new PoolError('ENGINE_UNAVAILABLE', `there are no images here: ${why}`);

/** An image as the command line tells of it. */
const told = ({ name, digest, size, pulled, inUse }) => ({
  ...{ name, digest, size, pulled: new Date(pulled * 1000).toISOString(), inUse },
});

/**
 * Asks this user's store of images.
 *
 * @param {'list' | 'prune'} command
 * @returns {Promise<{ store: string, images: object[] }>} the folder of the store; the images that it has, or
 *   that it has removed
 * @throws {PoolError}
 */
async function ask(command, env) {
  const binary = Home.find()?.find(hostTarget());
  if (!binary) throw failed('this package has no binary for this machine');
  const program = path.join(path.dirname(binary), PROGRAM);
  const child = spawn(program, [command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  let said;
  try {
    said = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  } catch (error) {
    throw failed(`${program} can't be run: ${error.message}`);
  }
  const [stdout, stderr, code] = said;
  let answer;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw failed(`${program} ended with ${code}: ${stderr.trim()}`);
  }
  const { images, removed, failed: fault } = answer;
  if (fault !== undefined) throw failed(fault.message);
  const { store, images: found } = images ?? removed;
  return { store, images: found.map(told) };
}

module.exports = { ask };
