'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const vm = require('node:vm');

const { OPTIONS } = require('../../lib/options');
const { codes, rows, section, snippets, text } = require('../support/readme');

const root = path.join(__dirname, '../..');
const types = fs.readFileSync(path.join(root, 'index.d.ts'), 'utf8');

/** The words of a union type in `index.d.ts`. */
function union(name) {
  const body = new RegExp(`export type ${name} =([^;]+);`).exec(types)[1];
  return [...body.matchAll(/'([^']+)'/g)].map(([, word]) => word);
}

/** The names that an interface in `index.d.ts` declares at its top level. */
function members(name) {
  const body = new RegExp(`interface ${name}\\b[^{]*\\{\\n(.*?)\\n  \\}`, 's').exec(types)[1];
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, member]) => member);
}

/** What a table's first column names. */
function named(heading) {
  return rows(section(heading)).flatMap((row) => codes(Object.values(row)[0]));
}

test('the sections come in the order in which a user needs them', () => {
  expect(text.match(/^## .*$/gm).map((heading) => heading.slice(3))).toEqual([
    'What a result costs, beside dockerode',
    ...['Install', 'Fifteen lines that work', 'Requirements'],
    ...['Options', 'Options of a call', 'Results', 'Errors', 'Lifecycle and cleaning up'],
    ...['How a script runs', 'Streams', 'Files', 'Seeing what happens', 'The command line'],
    ...['jest', 'Testing without Docker', 'Security', 'Troubleshooting'],
    ...['Migration from a dockerode pool', 'Two commands from a clean clone', 'License'],
  ]);
});

describe('the tables of options', () => {
  const table = rows(section('## Options')).filter(({ option }) => option !== undefined);
  const rowOf = Object.fromEntries(table.map((row) => [codes(row.option)[0], row]));
  const paths = Object.keys(OPTIONS);

  /** A cell that is one literal in backticks, in the option's normal form; other text says "unset". */
  function valueIn(cell, path) {
    const literal = /^`([^`]+)`$/.exec(cell)?.[1];
    if (literal === undefined) return null;
    return OPTIONS[path].kind.read(vm.runInThisContext(`(${literal})`), path);
  }

  test('have every option once, and no other', () => {
    expect(table.flatMap(({ option }) => codes(option)).sort()).toEqual([...paths].sort());
  });

  test('have the default of each', () => {
    for (const path of paths) {
      expect({ path, value: valueIn(rowOf[path].default, path) }).toEqual({
        path,
        value: OPTIONS[path].default,
      });
    }
  });

  test('have the environment variable of each', () => {
    for (const path of paths) {
      const { env } = OPTIONS[path];
      const variables = codes(rowOf[path].environment ?? '');
      expect({ path, variables }).toEqual({ path, variables: env === undefined ? [] : [env] });
    }
  });

  test("have the default under hardening: 'legacy' of those where it differs", () => {
    for (const path of paths) {
      const { legacy = '' } = rowOf[path];
      const differs = 'legacy' in OPTIONS[path];
      expect({ path, differs: legacy !== '' }).toEqual({ path, differs });
      if (!differs) continue;
      const value = OPTIONS[path].legacy;
      expect({ path, value: valueIn(legacy, path) }).toEqual({ path, value });
    }
  });
});

describe('what index.d.ts declares', () => {
  test('every option of a call is in its table', () => {
    const declared = ['CallOptions', 'RunOptions', 'RunScriptOptions'].flatMap(members);
    expect(new Set(named('## Options of a call'))).toEqual(new Set([...declared, 'stdin']));
  });

  test('every field and every reason of a result is in its table', () => {
    const fields = ['ExecuteResult', 'CollectedFiles'].flatMap(members);
    const declared = [...fields, ...union('EndReason')];
    expect(new Set(named('## Results'))).toEqual(new Set(declared));
  });

  test('every code of an error is in its table', () => {
    expect(named('## Errors').sort()).toEqual(union('PoolErrorCode').sort());
  });

  test('every event is named', () => {
    const line = /^Events: [^.]+/m.exec(section('## Lifecycle and cleaning up'))[0];
    expect(codes(line).sort()).toEqual(members('PoolEvents').sort());
  });
});

test('the variables that take the cold path are those of src/runner/startup.rs', () => {
  const source = fs.readFileSync(path.join(root, 'src/runner/startup.rs'), 'utf8');
  const list = /AT_START: &\[&str\] = &\[(.*?)\];/s.exec(source)[1];
  const patterns = [...list.matchAll(/"([^"]+)"/g)].map(([, pattern]) => pattern);
  const item = /counts only when an interpreter starts:(.*?);/s.exec(text)[1];
  expect(codes(item)).toEqual(patterns);
});

test('every link within the README has its heading', () => {
  const anchors = text.match(/^#+ .*$/gm).map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
  expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
});

describe('the examples in JavaScript', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'readme-'));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  test.each(snippets)('$title: parses', ({ source, isModule }) => {
    const file = path.join(folder, isModule ? 'example.mjs' : 'example.cjs');
    fs.writeFileSync(file, source);
    const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
