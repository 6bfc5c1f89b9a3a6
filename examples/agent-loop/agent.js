'use strict';

/** What the model sees of a run; a script that prints without end must not fill its context. */
const MOST = 4_000;

/**
 * Has a model solve a task by writing code. What it writes runs in one container, so that a later step
 * finds the files of the earlier ones; afterwards the container is gone, whatever happened.
 *
 * @param {(messages: object[]) => Promise<{ code: string } | { answer: string }>} model
 * @param {string} task
 */
async function solve(model, task, { pool, mostTurns = 8 }) {
  const messages = [{ role: 'user', content: task }];
  const container = await pool.acquire();
  try {
    for (let turn = 0; turn < mostTurns; turn += 1) {
      const reply = await model(messages);
      if (reply.answer !== undefined) return { answer: reply.answer, turns: turn + 1 };
      messages.push({ role: 'assistant', content: reply.code });
      messages.push({ role: 'tool', content: await observe(container, reply.code) });
      // A timeout and a want of memory end the container: a conversation without its files is over.
      if (container.status === 'TERMINATED') break;
    }
    return { answer: null, turns: messages.filter(({ role }) => role === 'tool').length };
  } finally {
    await container.destroy();
  }
}

/** Runs code; what came of it, in words for the model. */
async function observe(container, code) {
  const result = await container.execute(code, {}, [], { timeout: 5_000, maxOutputBytes: '64k' });
  const said = [result.stdout, result.stderr].filter(Boolean).join('\n').slice(-MOST);
  if (result.reason === 'exit' && result.exitCode === 0) return said || '(no output)';
  const why = result.reason === 'exit' ? `exit code ${result.exitCode}` : result.reason;
  return `${said}\n[ended: ${why}]`;
}

module.exports = { solve };
