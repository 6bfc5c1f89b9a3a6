'use strict';

/** Rows of cells as lines, each column as wide as its widest cell. */
function layOut(rows) {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]))
      .join('  ')
      .trimEnd(),
  );
}

module.exports = { layOut };
