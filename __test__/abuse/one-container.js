'use strict';

// A process that runs a script in one container of the local engine, and ends. A process has one launcher, so
// each kind of launcher has one of these. It takes what it is to do as JSON on stdin:
//
// - `programs`: the folder with the launcher in it;
// - `image`, the OCI `runtime` if there is to be one, and the `fences` that are to be down;
// - `script`, `env`: what is to run, and its variables.

const { once } = require('node:events');
const path = require('node:path');
const { text } = require('node:stream/consumers');

const { hostTarget } = require('../../lib/binding/target');
const { root } = require('../../harness/paths');
const { canaryOf } = require('./canary');
const { optionsWithout } = require('./fences');

async function main() {
  const { programs, image, runtime, fences, script, env } = JSON.parse(await text(process.stdin));
  // Who says so first is heard.
  require(path.join(root, `scientist-pool.${hostTarget()}.node`)).setPrograms(programs);
  const { ContainerPoolManager } = require('../..');
  const pool = new ContainerPoolManager({
    ...optionsWithout(fences),
    engine: 'local',
    image,
    runtime,
    poolSize: 0,
  });
  try {
    const neighbour = await pool.acquire();
    const secret = { SECRET: canaryOf('neighbour') };
    // Until its stdin ends, which it does with its container.
    const command = neighbour.spawn(['sh', '-c', 'echo ready; cat'], { env: secret });
    command.exit.catch(() => undefined);
    await once(command.stdout, 'data');
    const { stdout, stderr } = await pool.run(script, { env, timeout: 120_000 });
    await neighbour.destroy();
    if (stdout === '') throw new Error(`the probes did not report: ${stderr}`);
    process.stdout.write(stdout);
  } finally {
    await pool.shutdown();
  }
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
