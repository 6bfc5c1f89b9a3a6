'use strict';

const { ATTACKS, attack } = require('../../harness/attacks');
const { toolCall } = require('../jobs');
const { quiet, shuffled } = require('../timing');

const CALLS = 10;

module.exports = {
  name: 'neighbour',
  method: `The package alone, on Docker. Each round, in random order: nobody beside, or one container in which a
    script forks, allocates, spins, fills /tmp or floods its output without end. Beside it ${CALLS} warm
    containers, made before it began, execute the tool call one after another.`,
  rounds: 4,
  seconds: 50,
  warmUp: 1,
  needs: 'scientist-pool',
  metrics: { execute: 'execute the tool-call wrapper beside a script that' },

  async run({ open, rounds, attempt }) {
    const pools = [];
    try {
      const victims = await open('scientist-pool', { poolSize: CALLS });
      pools.push(victims);
      const attackers = await open('scientist-pool', { poolSize: 1 });
      pools.push(attackers);
      for await (const round of rounds()) {
        for (const name of shuffled([null, ...Object.keys(ATTACKS)])) {
          const containers = [];
          for (let call = 0; call < CALLS; call += 1) containers.push(await victims.acquire());
          const attacker = name === null ? null : await attackers.acquire();
          await quiet(pools);
          if (attacker !== null) await attack(attacker, name);
          for (const container of containers) {
            await attempt(round, 'execute', name ?? 'alone', () => toolCall.runIn(container));
          }
          await Promise.all([...containers, attacker].map((container) => container?.destroy()));
        }
      }
    } finally {
      await Promise.all(pools.map((pool) => pool.close()));
    }
  },
};
