'use strict';

const { snippets } = require('../support/readme');

// The README's tests on the fake engine, run as they stand there.
const examples = snippets.filter(({ source }) =>
  source.includes("require('scientist-pool/testing')"),
);

test('the README has an example', () => {
  expect(examples).toHaveLength(1);
});

describe.each(examples)('$title', ({ source }) => {
  new Function('require', source)(require);
});
