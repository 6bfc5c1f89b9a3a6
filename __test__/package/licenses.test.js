'use strict';

const { crates, listed } = require('../../scripts/licenses');

// Where it fails, `npm run licenses` writes the file.
test('the licences that go with the binary are those of the crates in it', async () => {
  const inside = await crates();
  expect(inside).toContainEqual(expect.stringMatching(/^ring \d/));
  expect(listed()).toEqual(inside);
});
