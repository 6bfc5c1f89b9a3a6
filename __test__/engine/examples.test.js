'use strict';

// The programs of the examples, as they stand, on a real engine.

const { spawn } = require('node:child_process');
const path = require('node:path');

const { outside } = require('../support/engine');
const { until } = require('../../harness/until');

/** Starts a program of the examples; `output` is what it has written, `ended` how it ended. */
function start(program, env = {}) {
  const file = path.join(__dirname, '../../examples', program);
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, ...outside().env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      running.output += chunk;
    });
  }
  running.ended = new Promise((resolve) => child.on('close', (...how) => resolve(how)));
  return running;
}

test('the agent loop solves its task, by way of a mistake', async () => {
  const running = start('agent-loop/main.js');
  expect(await running.ended).toEqual([0, null]);
  expect(running.output).toBe('12 after 4 turns\n');
});

test('the worker pool factorizes its numbers', async () => {
  const running = start('worker-pool/main.js');
  expect(await running.ended).toEqual([0, null]);
  expect(running.output.trim().split('\n')).toEqual([
    ...['12: 2 2 3', '97: 97', '360: 2 2 2 3 3 5', '1001: 7 11 13', '65537: 65537'],
  ]);
});

test('the Express server runs a script, and ends by a signal', async () => {
  const running = start('express/server.js', { PORT: '0' });
  try {
    const port = await until(() => /port (\d+)/.exec(running.output)?.[1]);
    const response = await fetch(`http://127.0.0.1:${port}/execute`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Connection: 'close' },
      body: JSON.stringify({ script: 'import sys; print(6 * 7); sys.exit(3)' }),
    });
    expect(await response.json()).toMatchObject({ stdout: '42', exitCode: 3, reason: 'exit' });
  } finally {
    running.child.kill('SIGTERM');
  }
  const [code, signal] = await running.ended;
  expect(code === 0 || signal === 'SIGTERM').toBe(true);
});
