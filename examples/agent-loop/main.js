'use strict';

// node examples/agent-loop/main.js

const ContainerPoolManager = require('scientist-pool');

const { solve } = require('./agent');

/** Stands in for a model: writes data, makes a mistake, corrects it, and answers from what it sees. */
async function model(messages) {
  const observations = messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
  switch (observations.length) {
    case 0:
      return { code: 'open("/tmp/data.csv", "w").write("3\\n4\\n5\\n"); print("written")' };
    case 1:
      return { code: 'print(sum(open("/tmp/data.csv")))' };
    case 2:
      return { code: 'print(sum(map(int, open("/tmp/data.csv"))))' };
    default:
      return { answer: observations.at(-1) };
  }
}

async function main() {
  const pool = new ContainerPoolManager({ poolSize: 1 });
  try {
    const { answer, turns } = await solve(model, 'Add the numbers of a file.', { pool });
    console.log(`${answer} after ${turns} turns`);
  } finally {
    await pool.shutdown();
  }
}
main();
