'use strict';

// What a process pays that loads the package and does nothing with it, and for the native binding when it
// makes its first pool.

const began = performance.now();
require('../..');
const required = performance.now();
require('../../lib/binding/native').loadNative();
const loaded = performance.now();

process.stdout.write(
  `${JSON.stringify({ require: required - began, binding: loaded - required })}\n`,
);
