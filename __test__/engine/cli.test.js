'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { NO_PYTHON, address, outside } = require('../support/engine');
const { cli } = require('../support/cli');

const { env } = outside();

test('doctor finds the limits and the hardening of a real container in force', async () => {
  const { stdout, code } = await cli(['doctor', '--json'], { env });
  const { ok, findings } = JSON.parse(stdout);
  expect(findings.filter(({ state }) => state === 'failure')).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['seccomp', 'memory', 'processes', 'cpu', 'removal']),
  );
  expect({ ok, code }).toEqual({ ok: true, code: 0 });
});

(address() === 'local' ? test : test.skip)('doctor says whether there is a template', async () => {
  const found = async (...args) => {
    const { stdout } = await cli(['doctor', '--json', ...args], { env });
    return JSON.parse(stdout).findings.find(({ name }) => name === 'template');
  };
  const there = { name: 'template', state: 'ok', detail: 'can be forked' };
  expect(await found()).toEqual(there);
  const none = { state: 'warning', detail: 'none: the image has no python3' };
  expect(await found('--image', outside().image(NO_PYTHON))).toMatchObject(none);
});

test('doctor says that an image has no Python', async () => {
  const { stdout, code } = await cli(['doctor', '--json', '--image', outside().image(NO_PYTHON)], {
    env,
  });
  const { findings } = JSON.parse(stdout);
  expect(findings.filter(({ state }) => state === 'failure')).toMatchObject([{ name: 'call' }]);
  expect(code).toBe(1);
});

test('run passes arguments, environment, output and exit code', async () => {
  const source = 'import os, sys; print(sys.argv[1], os.environ["A"]); sys.exit(7)';
  const { stdout, code } = await cli(['run', '-', '--env', 'A=1', '--', 'x'], {
    env,
    input: source,
  });
  expect({ stdout, code }).toEqual({ stdout: 'x 1\n', code: 7 });
});

test('run passes a script on as the bytes that it is', async () => {
  const input = Buffer.from("print(ascii('\xe9'))", 'latin1');
  const { stderr, code } = await cli(['run', '-'], { env, input });
  expect(stderr).toMatch(/^SyntaxError: .*(0xe9|\\xe9)/m);
  expect(code).toBe(1);
});

test('run puts files there, and gets what the script leaves', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cli-'));
  try {
    fs.mkdirSync(path.join(folder, 'data'));
    fs.writeFileSync(path.join(folder, 'data/in.txt'), 'from here');
    fs.writeFileSync(path.join(folder, 'tool'), '#!/bin/sh\ntr a-z A-Z', { mode: 0o755 });
    const source = `
import os, subprocess
os.makedirs('out/deep')
text = open('data/in.txt').read()
open('out/deep/result.txt', 'w').write(subprocess.run('./tool', input=text, capture_output=True, text=True).stdout)
os.symlink('/etc/passwd', 'out/link')`;
    const files = ['--file', `${folder}/data`, '--file', `${folder}/tool`];
    const out = ['--collect', 'out/**', '--out', `${folder}/results`];
    const ended = await cli(['run', '-', ...files, ...out], { env, input: source });
    expect(ended).toEqual({ stdout: '', stderr: '', code: 0 });
    const results = path.join(folder, 'results');
    expect(fs.readdirSync(results, { recursive: true }).sort()).toEqual([
      ...['out', 'out/deep', 'out/deep/result.txt'],
    ]);
    expect(fs.readFileSync(path.join(results, 'out/deep/result.txt'), 'utf8')).toBe('FROM HERE');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
