'use strict';

// The one door to this folder: what is published has all of it in this file (harness/published.js).

const { checkPath, hiddenName, readPatterns } = require('./container/files');
const { Container } = require('./container/container');
const { linesOf } = require('./container/line-reader');
const { PoolError, invalid, wrong, wrongType } = require('./errors');
const { loadNative } = require('./native');
const { OPTIONS, resolveOptions } = require('./options/options');
const { isRecord } = require('./options/unknown-names');
const { millis, readTable, whole, words } = require('./options/value-kinds');
const { ContainerPoolManager, findImages, findOrphans, pruneImages } = require('./pool/manager');
const singleton = require('./pool/singleton');
const { signalNumber } = require('./signal-names');

module.exports = {
  Container,
  ContainerPoolManager,
  OPTIONS,
  PoolError,
  checkPath,
  findImages,
  findOrphans,
  hiddenName,
  invalid,
  isRecord,
  linesOf,
  loadNative,
  millis,
  pruneImages,
  readPatterns,
  readTable,
  resolveOptions,
  signalNumber,
  singleton,
  whole,
  words,
  wrong,
  wrongType,
};
