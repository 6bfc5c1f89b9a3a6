'use strict';

// Makes a pool of an image warm and tells what came of it, in an environment of its own: a jest
// sandbox has but a copy of the environment, which native code can't see.

const { ContainerPoolManager } = require('../../..');
const { address } = require('../engine');

const pool = new ContainerPoolManager({ engine: address(), image: process.argv[2], poolSize: 1 });
pool
  .initialize()
  .then(
    () => 'warm',
    ({ code, image }) => `${code} ${image}`,
  )
  .then((outcome) => console.log(outcome))
  .then(() => pool.shutdown());
