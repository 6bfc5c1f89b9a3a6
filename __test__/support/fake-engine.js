'use strict';

module.exports = require('../../testing');
