'use strict';

// The suites that the pages show, run as they stand there: on the fake engine, or on a mock.

const { pages } = require('../support/pages');

const suites = pages.flatMap((page) => page.examples).filter(({ isTest }) => isTest);

describe.each(suites)('$title', ({ source }) => {
  // Each finds the package as its own file would: not as another has mocked it.
  jest.resetModules();
  jest.dontMock('scientist-pool');
  new Function('require', 'jest', source)(require, jest);
});
