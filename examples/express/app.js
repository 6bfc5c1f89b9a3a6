'use strict';

const express = require('express');

/** What the caller may do about an error of the pool, as a status of HTTP. */
const STATUS = {
  INVALID_ARGUMENT: 400,
  POOL_EXHAUSTED: 503,
  ACQUIRE_TIMEOUT: 503,
  POOL_CLOSED: 503,
};

/** An app that runs Python: `POST /execute { script, env, args }`. */
function createApp(pool) {
  const app = express();
  app.use(express.json({ limit: '1mb' }));

  app.post('/execute', async (request, response, next) => {
    // A caller that hangs up has no use for the result: its script and its container end.
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const { script, env, args } = request.body;
    try {
      const { stdout, stderr, exitCode, reason } = await pool.run(script, {
        ...{ env, args, timeout: 10_000, maxOutputBytes: '256k', signal: gone.signal },
      });
      response.json({ stdout, stderr, exitCode, reason });
    } catch (error) {
      if (!gone.signal.aborted) next(error);
    }
  });

  app.get('/health', (_, response) => {
    const { state, warm, leased, waiting } = pool.stats();
    response.status(state === 'degraded' ? 503 : 200).json({ state, warm, leased, waiting });
  });

  app.use((error, _request, response, _next) => {
    const status = STATUS[error.code] ?? error.status ?? 500;
    if (status === 503) response.set('Retry-After', '1');
    // What the engine says is for the log; of a caller's own mistake the caller is told.
    const message = status < 500 ? error.message : 'the sandbox is not available';
    response.status(status).json({ error: { code: error.code, message } });
  });

  return app;
}

module.exports = { createApp };
