'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');

const FOLDER = path.join(__dirname, 'probes');

const read = (...names) => fs.readFileSync(path.join(...names), 'utf8');

/** What there is on the local engine alone; and there with one image alone, `host`. */
const OF_LOCAL = ['local', 'host'];

/** Every probe: its name, its category, its Python, and what it tries, as its first line says. */
const ALL = fs
  .readdirSync(FOLDER)
  .flatMap((category) =>
    fs.readdirSync(path.join(FOLDER, category)).map((file) => ({ category, file })),
  )
  .map(({ category, file }) => {
    const source = read(FOLDER, category, file);
    const name = `${category}/${path.basename(file, '.py')}`;
    return { name, category, source, tries: /^"""(.*?)(?:"""|$)/m.exec(source)[1] };
  });

/** Those that run on every engine. */
const PROBES = ALL.filter(({ category }) => !OF_LOCAL.includes(category));

/** What the kernel was built with, as far as it tells. */
function kernelConfig() {
  const places = ['/proc/config.gz', `/boot/config-${os.release()}`];
  const place = places.find((candidate) => fs.existsSync(candidate));
  if (place === undefined) return null;
  const bytes = fs.readFileSync(place);
  return (place.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString();
}

/**
 * What of the kernel a probe needs to get through at all. Where this machine has it not, the probe is
 * stopped everywhere, the weakened container included. The engine under test is on this machine.
 */
const NEEDS = {
  'kernel/add_key': 'KEYS',
  'kernel/bpf': 'BPF_SYSCALL',
  'kernel/init_module': 'MODULES',
  'kernel/io_uring': 'IO_URING',
  'kernel/iopl': 'X86_IOPL_IOPERM',
  'kernel/kexec_load': 'KEXEC',
  'kernel/keyctl': 'KEYS',
  'kernel/userfaultfd': 'USERFAULTFD',
  'local/keys': 'KEYS',
  'sockets/alg': 'CRYPTO_USER_API',
  'sockets/packet': 'PACKET',
  'sockets/through_32_bit': 'IA32_EMULATION',
  'sockets/vsock': 'VSOCKETS',
};

const config = kernelConfig();

/** Whether this machine has nothing for the probe to get at. */
const isLacking = ({ name }) =>
  config !== null && name in NEEDS && !new RegExp(`^CONFIG_${NEEDS[name]}=[ym]$`, 'm').test(config);

/**
 * Runs probes in a container.
 *
 * @returns {Promise<Record<string, { verdict: 'held' | 'broken' | 'absent' | 'error', said: string }>>}
 */
async function runProbes(container, env, probes = PROBES) {
  const sources = Object.fromEntries(probes.map(({ name, source }) => [name, source]));
  // JSON of text is Python as well.
  const script = [
    `ATTEMPT = ${JSON.stringify(read(__dirname, 'attempt.py'))}`,
    `PROBES = ${JSON.stringify(sources)}`,
    read(__dirname, 'harness.py'),
  ].join('\n');
  const answers = JSON.parse(await container.run(script, env));
  return Object.fromEntries(
    Object.entries(answers).map(([name, [verdict, said]]) => [name, { verdict, said }]),
  );
}

module.exports = { ALL, PROBES, isLacking, runProbes };
