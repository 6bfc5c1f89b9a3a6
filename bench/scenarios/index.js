'use strict';

module.exports = [
  require('./execute'),
  require('./call'),
  require('./ready'),
  require('./preload'),
  require('./sequence'),
  require('./storm'),
  require('./neighbour'),
  require('./cost'),
  require('./writers'),
];
