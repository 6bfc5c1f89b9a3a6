'use strict';

const { parentPort, workerData } = require('node:worker_threads');

const ContainerPoolManager = require('scientist-pool');

const FACTORS = `
import sys

number, factors, divisor = int(sys.argv[1]), [], 2
while number > 1:
    while number % divisor == 0:
        factors.append(divisor)
        number //= divisor
    divisor += 1
print(*factors)
`;

const pool = new ContainerPoolManager({ poolSize: 1, max: workerData.max });

parentPort.on('message', async (job) => {
  if (job === null) {
    await pool.shutdown();
    parentPort.close();
    return;
  }
  const { stdout, stderr } = await pool.run(FACTORS, { args: [job.number], timeout: 5_000 });
  parentPort.postMessage(stdout || stderr);
});
