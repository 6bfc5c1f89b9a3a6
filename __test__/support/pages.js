'use strict';

// The pages for users: README.md and docs/*.md, with their tables, links and examples.

const fs = require('node:fs');
const path = require('node:path');

const { ROOT } = require('./node');

const FENCE = /^```(\w*)\n(.*?)^```$/gms;

/** A heading as GitHub makes an anchor of it. */
function anchor(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

class Page {
  /** @param {string} name its path from the root, such as `docs/options.md` */
  constructor(name) {
    this.name = name;
    this.text = fs.readFileSync(path.join(ROOT, name), 'utf8');
    /** All but its code. */
    this.prose = this.text.replaceAll(FENCE, '');
    this.anchors = this.prose.match(/^#+ .*$/gm).map((line) => anchor(line.replace(/^#+ /, '')));
  }

  /** What its links lead to, as they are written. */
  get links() {
    return [...this.prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  }

  /**
   * Its examples in JavaScript: `{ title, source, isModule, isTest, prints }`. `prints` are the lines that
   * the comments behind its `console.log(…);` promise.
   */
  get examples() {
    const blocks = [...this.text.matchAll(FENCE)].filter(([, language]) => language === 'js');
    return blocks.map(([, , source], at) => ({
      title: `${this.name} ${at + 1}`,
      source,
      isModule: /^import /m.test(source),
      isTest: /^(jest\.|test\()/m.test(source),
      prints: [...source.matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, line]) => line),
    }));
  }

  /** The text below a heading, down to the next one of the same rank or a higher one. */
  section(heading) {
    const rank = /^#+/.exec(heading)[0].length;
    const start = this.text.indexOf(`\n${heading}\n`);
    if (start < 0) throw new Error(`${this.name} has no ${heading}`);
    const rest = this.text.slice(start + heading.length + 2);
    const end = rest.search(new RegExp(`^#{1,${rank}} `, 'm'));
    return end < 0 ? rest : rest.slice(0, end);
  }
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

const names = fs
  .readdirSync(path.join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);

const pages = ['README.md', ...names].map((name) => new Page(name));

/** The page of that name. */
function page(name) {
  const found = pages.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no page ${name}`);
  return found;
}

module.exports = { codes, page, pages, rows };
