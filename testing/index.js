'use strict';

const { FakeEngine } = require('./engine');

module.exports = { FakeEngine };
