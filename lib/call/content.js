'use strict';

const { invalid } = require('../errors');
const { checkText } = require('../options/value-kinds');

/** Whether a value is bytes: a `Uint8Array` or its like, of whichever realm. */
function isBytes(value) {
  return ArrayBuffer.isView(value) && value.BYTES_PER_ELEMENT === 1;
}

/** Whether a value is text or bytes. */
function isContent(value) {
  return typeof value === 'string' || isBytes(value);
}

/** Text or bytes as a Buffer: of the text's UTF-8, or over the same memory. */
function asBytes(value, path) {
  if (typeof value === 'string') return Buffer.from(checkText(value, path));
  try {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  } catch {
    throw invalid(`${path} has no bytes any more: its ArrayBuffer was transferred`);
  }
}

/** The bytes that `asBytes` would give. */
function sizeOf(value) {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
}

/** Throws where there are more bytes than can be sent, which is before any is copied. */
function checkSize(size, most, path) {
  if (size > most) throw invalid(`${path} has ${size} bytes; the most is ${most}`);
}

module.exports = { asBytes, checkSize, isContent, sizeOf };
