'use strict';

const { ATTACKS, attack } = require('../../harness/attacks');
const { toolCall } = require('../jobs');
const { OWN } = require('../sides');
const { quiet, shuffled } = require('../timing');

const CALLS = 10;

module.exports = {
  name: 'neighbour',
  method: `The package alone, on both engines. Each round, in random order: nobody beside, or one container in which a
    script forks, allocates, spins, fills /tmp or floods its output without end. Beside it ${CALLS} warm
    containers, made before it began, execute the tool call one after another.`,
  rounds: 6,
  seconds: 80,
  warmUp: 1,
  metrics: { execute: 'execute the tool-call wrapper beside a script that' },

  async run({ sides, open, rounds, attempt }) {
    const pools = [];
    try {
      const cases = [];
      for (const side of sides.filter((name) => OWN.includes(name))) {
        const victims = await open(side, { poolSize: CALLS });
        pools.push(victims);
        const attackers = await open(side, { poolSize: 1 });
        pools.push(attackers);
        for (const name of [null, ...Object.keys(ATTACKS)]) {
          cases.push({ side, victims, attackers, name });
        }
      }
      for await (const round of rounds()) {
        for (const { side, victims, attackers, name } of shuffled(cases)) {
          const containers = [];
          for (let call = 0; call < CALLS; call += 1) containers.push(await victims.acquire());
          const attacker = name === null ? null : await attackers.acquire();
          await quiet(pools);
          if (attacker !== null) await attack(attacker, name);
          for (const container of containers) {
            const beside = `${side}, ${name ?? 'alone'}`;
            await attempt(round, 'execute', beside, () => toolCall.runIn(container));
          }
          await Promise.all([...containers, attacker].map((container) => container?.destroy()));
        }
      }
    } finally {
      await Promise.all(pools.map((pool) => pool.close()));
    }
  },
};
