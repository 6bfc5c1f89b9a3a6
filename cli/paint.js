'use strict';

const { styleText } = require('node:util');

/** Whether a stream shows colours: a terminal, unless `NO_COLOR` says otherwise (no-color.org). */
function showsColours({ stdout, env }) {
  return Boolean(stdout.isTTY) && !env.NO_COLOR && env.TERM !== 'dumb';
}

/** Paints text for a stream. Node has `styleText` since 20.12; before, and off a terminal, it is plain. */
function paint(io) {
  const plain = styleText === undefined || !showsColours(io);
  // By its own rule `styleText` asks about the process's stdout, which it was.
  return (colour, text) => (plain ? text : styleText(colour, text, { validateStream: false }));
}

module.exports = { paint };
