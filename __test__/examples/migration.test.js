'use strict';

// The backend of examples/migration with its one line changed, and its own tests on it; as it stands,
// on a dockerode pool, jest runs them where they are.

const { migrated } = require('../support/migration');
const { page } = require('../support/pages');

test('one line of the backend changes, as the guide shows it', async () => {
  const { before, after } = await migrated((project) => project.changes());
  expect(before).toEqual(["const ContainerPoolManager = require('./container-pool.service');"]);
  expect(after).toEqual(["const ContainerPoolManager = require('scientist-pool');"]);
  expect(page('docs/migration.md').text).toContain(`-${before[0]}\n+${after[0]}\n`);
});

test('then the same tests are green', async () => {
  const { passed, failed } = await migrated((project) => project.test());
  expect({ passed, failed }).toEqual({ passed: 6, failed: 0 });
});
