'use strict';

// node examples/express/server.js
// curl localhost:3000/execute -H 'Content-Type: application/json' -d '{ "script": "print(6 * 7)" }'

const ContainerPoolManager = require('scientist-pool');

const { createApp } = require('./app');

const pool = ContainerPoolManager.getInstance({
  poolSize: 4,
  maxWaiting: 100,
  acquireTimeout: 5_000,
  handleSignals: true,
});
pool.on('error', (error, { during }) => console.error(during, error.code, error.message));
const server = createApp(pool).listen(process.env.PORT ?? 3000, async () => {
  console.log(`listening on port ${server.address().port}`);
  // The first caller should find a warm container; without an engine, callers are told.
  await pool.initialize().catch((error) => console.error(error.message));
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
