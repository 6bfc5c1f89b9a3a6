'use strict';

// node examples/chat/main.js: a model plots a CSV into plot.png

const fs = require('node:fs/promises');

const ContainerPoolManager = require('scientist-pool');

const { chat } = require('./chat');
const { CSV, model } = require('./model');

async function main() {
  const pool = new ContainerPoolManager({ packages: ['matplotlib'], poolSize: 1, memory: '512m' });
  try {
    // The first time, it is installed here.
    await pool.initialize();
    const files = { 'sales.csv': CSV };
    const { answer, pictures } = await chat(model, 'Plot sales.csv.', { pool, files });
    await fs.writeFile('plot.png', pictures[0]);
    console.log(answer);
  } finally {
    await pool.shutdown();
  }
}
main();
