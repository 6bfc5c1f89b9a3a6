'use strict';

// A process with a pool, which does what its parent tells it and tells what came of it. `children.js`
// is the parent's side.

const { ContainerPoolManager } = require('../../..');
const { IMAGE, address, outside } = require('../engine');

const EVENTS = ['created', 'acquired', 'destroyed', 'lost', 'engine', 'ready'];

/** Nothing, once parent and child have parted. */
function tell(message) {
  if (process.connected) process.send(message);
}

let pool;
/** Kept, so that no garbage collection ends their lease. */
const leased = [];

const DEEDS = {
  make: (options) => {
    pool = new ContainerPoolManager({
      engine: address(),
      image: outside().image(IMAGE),
      ...options,
    });
    for (const name of EVENTS) {
      pool.on(name, (...details) => tell({ event: [name, ...details] }));
    }
  },
  initialize: () => pool.initialize(),
  acquire: async () => {
    const container = await pool.acquire();
    leased.push(container);
    return container.id;
  },
  /** Runs a script in the container acquired last; says `begun` in an event when it writes. */
  execute: async (script) => {
    const { stdout, reason } = await leased.at(-1).execute(script, {}, [], {
      onStdout: () => tell({ event: ['begun'] }),
    });
    return { stdout, reason };
  },
  /** Beside what runs there. */
  command: (argv) => leased.at(-1).executeCommand(argv),
  run: async (script) => (await pool.run(script)).stdout,
  /** Calls one after another, until it is killed. */
  load: async () => {
    for (let number = 0; ; number += 1) {
      const { stdout } = await pool.run(`print(${number})`);
      if (stdout !== String(number)) throw new Error(`asked for ${number}, got ${stdout}`);
      tell({ event: ['ran', number] });
    }
  },
  warm: () => pool.pool.map(({ id }) => id),
  stats: () => pool.stats(),
  shutdown: (options) => pool.shutdown(options),

  // ---- ends ----

  /** Lets go of the parent: from here on the process lives as long as its pool makes it. */
  part: () => {
    setImmediate(() => process.disconnect());
  },
  /** Runs a script and prints what it gave, with nobody to keep the process alive for it. */
  partAndRun: (script) => {
    DEEDS.part();
    pool.run(script).then(({ stdout }) => console.log(stdout));
  },
  /** Ends by its own hand, the answer on its way or not. */
  exit: (code) => process.exit(code),
  throw: (message) => {
    setImmediate(() => {
      throw new Error(message);
    });
  },
  reject: (message) => {
    Promise.reject(new Error(message));
  },
};

process.on('message', async ({ number, what, args }) => {
  try {
    const value = await DEEDS[what](...args);
    tell({ number, value });
  } catch ({ code, message }) {
    tell({ number, error: { code, message } });
  }
});
