'use strict';

const express = require('express');

const { callTool, pursue } = require('./orchestrator');

function createApp() {
  const app = express();
  app.use(express.json());
  app.post('/tools/:name', async (request, response) => {
    const { env = {}, args = {} } = request.body;
    response.json(await callTool(request.params.name, env, args));
  });
  app.post('/goals/:name', async (request, response) => {
    const { calls, env } = request.body;
    response.json(await pursue(request.params.name, calls, env));
  });
  app.use((error, _request, response, _next) => {
    response.status(error.status ?? 500).json({ error: error.message });
  });
  return app;
}

module.exports = { createApp };
