'use strict';

// What hostile scripts try in containers of the local engine that an OCI runtime runs.

const { ensureArchives, localImage } = require('../../harness/archives');
const { findProgram } = require('../../harness/command');
const { IMAGE, address } = require('../support/engine');
const { LocalContainer, OF_IMAGE } = require('./local');
const { runProbes } = require('./probes');
const { Surroundings } = require('./surroundings');

/** These look at the control groups they are in, which the local engine shows to nobody. */
const BY_CONTROL_GROUPS = ['limits/processor', 'limits/swap'];
/** In gVisor these end the container with the script, which would take the others along. */
const END_ITS_KERNEL = ['limits/memory', 'limits/processes'];
/** What these get is gVisor's own: its devices, ids, priorities and `/sys`, behind which is no other kernel's. */
const OF_ITS_KERNEL = [
  ...['files/devices', 'files/temporary_folder', 'local/ids', 'local/kernel_objects'],
  ...['privilege/mknod', 'privilege/nice'],
];
/** This looks for a line in `/proc` that gVisor does not have. */
const NOT_TOLD = ['privilege/no_new_privileges'];

let surroundings;
beforeAll(async () => {
  if (address() !== 'local') await ensureArchives({ env: { DOCKER_HOST: address() } }, [IMAGE]);
  surroundings = await Surroundings.start();
});
afterAll(() => surroundings?.close());

/** The probes that are not stopped, by their verdicts. */
async function notHeld(runtime, probes) {
  const container = new LocalContainer(localImage(IMAGE), { runtime });
  const answers = await runProbes(container, surroundings.env, probes);
  const others = { broken: [], absent: [], error: [] };
  for (const [name, { verdict }] of Object.entries(answers)) others[verdict]?.push(name);
  return others;
}

const testWith = (name) => (findProgram(name) ? test : test.skip);

for (const name of ['crun', 'runc']) {
  testWith(name)(`${name} stops them as the launcher does`, async () => {
    expect(await notHeld(name, OF_IMAGE)).toEqual({
      broken: [],
      absent: BY_CONTROL_GROUPS,
      error: [],
    });
  });
}

testWith('runsc')('gVisor stops them, but for what reaches gVisor alone', async () => {
  const probes = OF_IMAGE.filter(({ name }) => !END_ITS_KERNEL.includes(name));
  expect(await notHeld('runsc', probes)).toEqual({
    broken: OF_ITS_KERNEL,
    absent: BY_CONTROL_GROUPS,
    error: NOT_TOLD,
  });
});
