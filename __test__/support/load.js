'use strict';

const { createNativeDouble } = require('./native-double');

/** The package, loaded afresh over a native double of its own. */
function loadWithDouble(double = createNativeDouble()) {
  let ContainerPoolManager;
  jest.isolateModules(() => {
    jest.doMock('../../lib/native', () => ({ loadNative: () => double }));
    ContainerPoolManager = require('../..');
  });
  return { ContainerPoolManager, double };
}

module.exports = { loadWithDouble };
