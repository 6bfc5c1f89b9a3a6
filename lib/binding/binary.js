'use strict';

const fs = require('node:fs');

/** Machines as ELF numbers them (`e_machine`): those that Linux binaries are made for. */
const MACHINES = { x64: 62, arm64: 183 };

const HEADER = 64;

/**
 * What is wrong with a binary for Linux that the system's loader does not tell: one for another machine is
 * to it a file that is not there, and one whose end is missing ends the process with SIGBUS.
 *
 * @param {string} file
 * @returns {string | null}
 */
function faultOf(file) {
  const { header, size } = beginningOf(file);
  const isElf64 =
    header.length === HEADER && header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2;
  // Of all others the loader tells the truth.
  if (!isElf64) return null;
  const machine = header.readUInt16LE(18);
  if (machine !== MACHINES[process.arch]) {
    const known = Object.entries(MACHINES).find(([, number]) => number === machine);
    return `${file} is for ${known?.[0] ?? `ELF machine ${machine}`}, and this is ${process.arch}`;
  }
  // The table of sections stands at the end: where it begins, and how many of which size it has.
  const end =
    Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
  return size < end ? `${file} is cut short: ${size} bytes of ${end}` : null;
}

/** The beginning of a file, and its size; nothing of one that may not be read. */
function beginningOf(file) {
  const header = Buffer.alloc(HEADER);
  let fd;
  try {
    fd = fs.openSync(file);
    const length = fs.readSync(fd, header, 0, HEADER, 0);
    return { header: header.subarray(0, length), size: fs.fstatSync(fd).size };
  } catch {
    return { header: header.subarray(0, 0), size: 0 };
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

module.exports = { faultOf };
