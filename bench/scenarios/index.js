'use strict';

module.exports = [
  require('./execute'),
  require('./ready'),
  ...require('./interactive'),
  require('./images'),
  require('./sustained'),
  require('./many'),
  require('./day'),
  require('./neighbour'),
  require('./egress'),
  require('./cost'),
  require('./writers'),
  require('./session'),
  require('./mounts'),
  require('./packages'),
];
