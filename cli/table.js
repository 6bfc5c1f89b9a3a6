'use strict';

const { printable } = require('./printable');

/** The most characters of a cell. */
const WIDEST = 80;

/** Rows of cells as printable lines, each column as wide as its widest cell. */
function layOut(given) {
  const rows = given.map((row) => row.map((cell) => printable(cell, WIDEST)));
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]))
      .join('  ')
      .trimEnd(),
  );
}

module.exports = { layOut };
