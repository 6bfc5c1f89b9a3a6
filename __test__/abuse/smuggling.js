'use strict';

/** Requests in which one reader sees another request, to `/smuggled`, that others do not. */
const inChunk = 'GET /smuggled HTTP/1.1\r\nX: x\r\n\r\n';
const chunks = `${inChunk.length.toString(16)}\r\n${inChunk}\r\n0\r\n\r\n`;
const cut = `0\r\n\r\n${inChunk}`;
const SMUGGLING = {
  'both lengths, chunks last': [`Content-Length: ${cut.length}\r\nTransfer-Encoding: chunked`, cut],
  'both lengths, chunks first': ['Transfer-Encoding: chunked\r\nContent-Length: 4', chunks],
  'two lengths': [`Content-Length: 0\r\nContent-Length: ${inChunk.length}`, inChunk],
  'a length of two': [`Content-Length: 0, ${inChunk.length}`, inChunk],
  'chunks behind a folded line': [
    `Content-Length: ${cut.length}\r\nTransfer-Encoding:\r\n chunked`,
    cut,
  ],
  'chunks in a folded line': [
    `Content-Length: ${cut.length}\r\nX: a\r\n Transfer-Encoding: chunked`,
    cut,
  ],
  'chunks behind a bare LF': [
    `Content-Length: ${cut.length}\r\nX: a\nTransfer-Encoding: chunked`,
    cut,
  ],
  'chunks behind a bare CR': [
    `Content-Length: ${cut.length}\r\nX: a\rTransfer-Encoding: chunked`,
    cut,
  ],
  'chunks before a colon': [`Content-Length: ${cut.length}\r\nTransfer-Encoding : chunked`, cut],
  'chunks twice': [
    `Content-Length: ${cut.length}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity`,
    cut,
  ],
  'chunks behind a tab': [`Content-Length: ${cut.length}\r\nTransfer-Encoding:\x0bchunked`, cut],
  'a length that hops': ['Connection: Content-Length\r\nContent-Length: 4', `0\r\n\r${inChunk}`],
};

/** Which of a request's lengths a reader goes by. */
const READERS = ['chunks', 'first', 'last'];

/** The heads of the requests that a reader finds, who takes whatever it is given. */
function headsIn(text, reader) {
  const heads = [];
  let rest = text;
  for (;;) {
    const head = /^[\r\n]*[A-Z]+ \S+[\s\S]*?\n\r?\n/.exec(rest);
    if (!head) return heads;
    heads.push(head[0]);
    rest = rest.slice(head[0].length);
    const lines = head[0].matchAll(/^[ \t]*content-length\s*:(.*)/gim);
    const lengths = [...lines].flatMap(([, value]) => value.match(/\d+/g) ?? []);
    const isChunked = /[\r\n][ \t]*transfer-encoding\s*:\s*chunked/i.test(head[0]);
    if (isChunked && (reader === 'chunks' || lengths.length === 0)) {
      for (let size = 1; size > 0; ) {
        const chunk = /^([0-9a-f]+)[^\n]*\n/i.exec(rest);
        size = chunk ? Number.parseInt(chunk[1], 16) : 0;
        rest = rest.slice((chunk?.[0].length ?? 0) + size).replace(/^\r?\n/, '');
      }
    } else {
      rest = rest.slice(Number(lengths.at(reader === 'first' ? 0 : -1) ?? 0));
    }
  }
}

/** Those of the attempts that a host has found another request in: each has its number in `X-Number`. */
function smuggledIn(heard) {
  // One that the proxy has seen it has given a host.
  const isSmuggled = (head) => head.includes(' /smuggled ') && !/^host:/im.test(head);
  const found = heard.filter(({ text }) =>
    READERS.some((reader) => headsIn(text, reader).some(isSmuggled)),
  );
  const numbers = found.map(({ text }) => Number(/x-number: (\d+)/i.exec(text)?.[1]));
  return Object.keys(SMUGGLING).filter((_, number) => numbers.includes(number));
}

module.exports = { SMUGGLING, smuggledIn };
