'use strict';

// The tables on the pages for users have what the code has, and nothing else.

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const { OPTIONS } = require('../../lib/options/options');
const { ROOT } = require('../support/node');
const { codes, page, rows } = require('../support/pages');

const types = fs.readFileSync(path.join(ROOT, 'index.d.ts'), 'utf8');
const options = page('docs/options.md');
const results = page('docs/results-and-errors.md');

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

/** What the first column of the tables in a text names. */
function named(markdown) {
  return rows(markdown).flatMap((row) => codes(Object.values(row)[0]));
}

describe('the tables of options', () => {
  const table = rows(options.text).filter(({ unit }) => unit !== undefined);
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
    const declared = ['CallOptions', 'ScriptOptions', 'RunOptions', 'RunScriptOptions'].flatMap(
      members,
    );
    expect(new Set(named(options.section('## Options of a call')))).toEqual(
      new Set([...declared, 'stdin']),
    );
  });

  test('every field and every reason of a result is in its table', () => {
    const fields = ['ExecuteResult', 'SessionResult', 'CollectedFiles'].flatMap(members);
    const declared = [...fields, ...union('EndReason')];
    expect(new Set(named(results.section('## Results')))).toEqual(new Set(declared));
  });

  test('every code of an error is in its table', () => {
    expect(named(results.section('## Errors')).sort()).toEqual(union('PoolErrorCode').sort());
  });

  test('every event is named', () => {
    const line = /^Events: [^.]+/m.exec(page('docs/observing.md').text)[0];
    expect(codes(line).sort()).toEqual(members('PoolEvents').sort());
  });
});

test('the variables that take the cold path are those of src/runner/startup.rs', () => {
  const source = fs.readFileSync(path.join(ROOT, 'src/runner/startup.rs'), 'utf8');
  const list = /AT_START: &\[&str\] = &\[(.*?)\];/s.exec(source)[1];
  const patterns = [...list.matchAll(/"([^"]+)"/g)].map(([, pattern]) => pattern);
  const item = /counts only when an interpreter starts:(.*?);/s.exec(
    page('docs/life-of-a-container.md').text,
  )[1];
  expect(codes(item)).toEqual(patterns);
});
