'use strict';

// What a script, an image, a registry, an engine or another process says may hold what a terminal obeys
// instead of showing it: window titles, the clipboard (OSC 52), the cursor, the direction of the text.

/** Control and format characters, separators of lines, and halves of surrogate pairs. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The most characters that are printed of one text. */
const LONGEST = 4096;

const hex = (code, width) => code.toString(16).padStart(width, '0');

function escaped(character) {
  const code = character.codePointAt(0);
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`;
}

/** A text as it is printed: on one line, of `longest` characters at most, with nothing to obey in it. */
function printable(text, longest = LONGEST) {
  // Cut first: what is beyond is not to cost anything.
  const begin = text.slice(0, longest + 1).replace(/[\t\n\v\f\r]+/g, ' ');
  const shown = begin.replace(OBEYED, escaped);
  return text.length > longest || shown.length > longest
    ? `${shown.slice(0, longest - 1)}…`
    : shown;
}

/** A value as JSON on one line, which means the same with nothing to obey in it. */
function printableJson(value) {
  return JSON.stringify(value).replace(OBEYED, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`,
    ).join(''),
  );
}

module.exports = { printable, printableJson };
