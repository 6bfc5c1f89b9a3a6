'use strict';

const fs = require('node:fs');
const path = require('node:path');

const text = fs.readFileSync(path.join(__dirname, '../../README.md'), 'utf8');

/** The text below a heading, down to the next one of the same rank. */
function section(heading) {
  const rank = /^#+/.exec(heading)[0];
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`the README has no ${heading}`);
  const rest = text.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^${rank} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The rows of every table in a piece of Markdown, each as column name → cell. */
function rows(markdown) {
  return markdown.split(/\n{2,}/).flatMap((block) => {
    const lines = block.split('\n').filter((line) => line.startsWith('|'));
    if (lines.length < 3) return [];
    const [head, , ...body] = lines.map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
    return body.map((cells) => Object.fromEntries(head.map((name, at) => [name, cells[at]])));
  });
}

/** Each piece of code in a cell or a text, without its backticks. */
function codes(markdown) {
  return [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);
}

/** The JavaScript examples: `{ title, source, isModule, isTest }`. */
const snippets = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(({ 1: source, index }) => ({
  title: text
    .slice(0, index)
    .match(/^#+ .*$/gm)
    .at(-1),
  source,
  isModule: /^import /m.test(source),
  isTest: /^(jest\.|test\()/m.test(source),
}));

module.exports = { codes, rows, section, snippets, text };
