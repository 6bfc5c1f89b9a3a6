'use strict';

const os = require('node:os');
const path = require('node:path');

/** The checkout. */
const root = path.dirname(__dirname);

/** What is dear to make and outlives a run: engines' storage, base images, tools. */
const cache = path.join(
  process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'),
  'scientist-pool',
);

/** Sockets and pid files of the engines started here; gone after a reboot. */
const runtime = '/run/scientist-pool';

module.exports = { root, cache, runtime };
