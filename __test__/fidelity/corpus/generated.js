'use strict';

/** Scripts that need exact bytes, or too many of them to be kept in a file. */

const repeat = (count, line) => Array.from({ length: count }, (_, n) => line(n)).join('');

const nested = (depth, head, innermost) => {
  const lines = [...Array(depth).fill(head), innermost];
  return lines.map((line, n) => `${' '.repeat(n)}${line}\n`).join('');
};

const exactBytes = {
  'byte order mark': '\ufeffprint("after a BOM")\n',
  'byte order mark and coding line': '\ufeff# coding: utf-8\nprint("é")\n',
  'byte order mark against the coding line': '\ufeff# coding: latin-1\nprint("é")\n',
  'byte order mark twice': '\ufeff\ufeffprint(1)\n',
  CRLF: 'print("a")\r\nif True:\r\n    print("""x\r\ny""".encode())\r\n',
  'CRLF and an error': 'def f():\r\n    return 1 / 0\r\n\r\nf()\r\n',
  'lone CR': 'print("a")\rprint("b")\r',
  'mixed line ends': 'a = 1\r\nb = 2\nc = 3\rprint(a, b, c)\n',
  'NUL at the start': '\0print(1)\n',
  'NUL in a string': 'print("before")\nprint("a\0b")\n',
  'NUL in a comment': 'print("before")\n# a\0b\nprint("after")\n',
  'NUL at the end': 'print("before")\n\0',
  'form feed': '\fprint("a")\n\f\nif True:\n\f    print("b")\n',
  'form feed and an error': 'x = 1\n\f\n\fraise ValueError(x)\n',
  'vertical tab': 'x = 1\n\vprint(x)\n',
  'control Z': 'print(1)\n\x1aprint(2)\n',
  'no final newline': 'print("no final newline")',
  'no final newline after a comment': 'print(1)\n# the end',
  'no final newline in a block': 'if True:\n    print("block")',
  'no final newline after a backslash': 'print(1)\nx = 1 + \\',
  empty: '',
  'one newline': '\n',
  'only a comment': '# nothing',
  'only blanks': '   \n\t\n  ',
  'a frame of the engine': '\x01\0\0\0\0\0\0\x05hello\nprint(1)\n',
  'beyond the basic plane': 'print("😀", len("😀"))\n𝒙 = 1\nprint(x)\n',
};

const long = {
  'comment of 5 MiB': `print("first")\n#${'x'.repeat(5 << 20)}\nprint("last")\n`,
  'string of 5 MiB': `s = "${'y'.repeat(5 << 20)}"\nprint(len(s))\n`,
  'lines of 5 MiB': `${`${'#'.repeat(99)}\n`.repeat(52_429)}raise ValueError("far down")\n`,
  'many statements': `${repeat(10_000, (n) => `x${n % 100} = ${n}\n`)}print(x99)\n`,
  'many functions': `${repeat(1_000, (n) => `def f${n}(): return ${n}\n`)}f999(1)\n`,
  'one very long line': `x = [${repeat(20_000, (n) => `${n}, `)}]\nprint(sum(x), y)\n`,
  'not read to its end': `x = = 1\n${'# unread\n'.repeat(300_000)}`,
  'around the size of a pipe': `print(1)\n#${'x'.repeat((1 << 16) - 10)}`,
  'around the size of a pipe, and one': `print(1)\n#${'x'.repeat((1 << 16) - 9)}`,
};

const deep = {
  'parentheses, 90': `print(${'('.repeat(90)}1${')'.repeat(90)})\n`,
  'parentheses, 250': `print(${'('.repeat(250)}1${')'.repeat(250)})\n`,
  'lists, 60': `print(${'['.repeat(60)}1${']'.repeat(60)})\n`,
  'indentation, 90': nested(90, 'if True:', 'print(1)'),
  'indentation, 110': nested(110, 'if True:', 'print(1)'),
  'blocks, 25': nested(25, 'for i in [1]:', 'x = i'),
  'sum of 500': `print(${Array(500).fill('1').join(' + ')})\n`,
  'attributes, 100 000': `x${'.y'.repeat(100_000)}\n`,
  'minus signs, 5 000': `print(${'-'.repeat(5_000)}1)\n`,
  'elif, 1 000': `x = 999\nif x == -1: pass\n${repeat(1_000, (n) => `elif x == ${n}: print(${n})\n`)}`,
};

const named = (topic, scripts) =>
  Object.entries(scripts).map(([name, script]) => ({ name: `${topic}/${name}`, script }));

const manyVariables = Array.from({ length: 1000 }, (_, n) => [`V${n}`, String(n)]);

const bigValues = [
  {
    name: 'env/value of 100 KiB',
    env: { BIG: 'é'.repeat(50 << 10) },
    script:
      'import os\nprint(len(os.environ["BIG"]), int(os.popen("env | wc -c").read()) > 102400)\n',
  },
  {
    name: 'env/a thousand variables',
    env: Object.fromEntries(manyVariables),
    script: 'import os\nprint(sum(int(v) for k, v in os.environ.items() if k[1:].isdigit()))\n',
  },
  {
    name: 'args/a thousand',
    args: Array.from({ length: 1000 }, (_, n) => `argument ${n}`),
    script: 'import sys\nprint(len(sys.argv), sys.argv[-1])\n',
  },
  {
    name: 'args/one of 100 KiB',
    args: ['é'.repeat(50 << 10)],
    script: 'import sys\nprint(len(sys.argv[1]), sys.argv[1][-3:])\n',
  },
];

module.exports = [
  ...named('bytes', exactBytes),
  ...named('long', long),
  ...named('nesting', deep),
  ...bigValues,
];
