'use strict';

module.exports = [
  require('./execute'),
  require('./call'),
  require('./ready'),
  require('./preload'),
  ...require('./interactive'),
  require('./images'),
  require('./sustained'),
  require('./burst'),
  require('./neighbour'),
  require('./cost'),
  require('./writers'),
];
