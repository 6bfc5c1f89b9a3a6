'use strict';

const { IMAGE, address } = require('../support/engine');
const { migrated, original } = require('../support/migration');

const env = { TEST_ENGINE: address(), CONTAINER_POOL_IMAGE: IMAGE };
const green = { passed: 6, failed: 0 };

test('the backend of the guide works on its dockerode pool', async () => {
  expect(await original((project) => project.test(env))).toEqual(green);
});

test('and after its one line was changed, on this package', async () => {
  expect(await migrated((project) => project.test(env))).toEqual(green);
});
