'use strict';

// What a process pays that loads the package and does nothing with it, and for the native binding when it
// makes its first pool.
//
// Argument: the folder of the package.

const [folder] = process.argv.slice(2);
const began = performance.now();
require(folder);
const required = performance.now();
require(`${folder}/lib`).loadNative();
const loaded = performance.now();

process.stdout.write(
  `${JSON.stringify({ require: required - began, binding: loaded - required })}\n`,
);
