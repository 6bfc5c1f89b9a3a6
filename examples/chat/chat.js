'use strict';

/**
 * A conversation: what a model writes runs in one interpreter, so that a later step finds the names of the earlier
 * ones, and it sees what came of each.
 *
 * @param {(messages: object[]) => Promise<{ code: string } | { answer: string }>} model
 * @returns {Promise<{ answer: string, pictures: Buffer[] }>}
 */
async function chat(model, question, { pool, files }) {
  const messages = [{ role: 'user', content: question }];
  const pictures = [];
  const container = await pool.acquire();
  try {
    await container.writeFiles(files);
    const session = await container.session();
    for (;;) {
      const { answer, code } = await model(messages);
      if (answer !== undefined) return { answer, pictures };
      const { stdout, stderr, display } = await session.run(code, {
        display: true,
        timeout: 30_000,
      });
      const shown = display.map((bundle) => bundle['text/plain']);
      pictures.push(...display.flatMap((bundle) => bundle['image/png'] ?? []));
      messages.push({ role: 'assistant', content: code });
      messages.push({
        role: 'tool',
        content: [stdout, stderr, ...shown].filter(Boolean).join('\n'),
      });
    }
  } finally {
    await container.destroy();
  }
}

module.exports = { chat };
