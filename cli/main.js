'use strict';

const { parseArgs } = require('node:util');

const { version } = require('../package.json');
const { PoolError } = require('../lib');
const bench = require('./bench');
const { FAULT, USAGE } = require('./codes');
const doctor = require('./doctor');
const images = require('./images');
const mcp = require('./mcp');
const { printable, printableJson } = require('./printable');
const prune = require('./prune');
const pull = require('./pull');
const run = require('./run');
const top = require('./top');

const COMMANDS = { doctor, run, bench, pull, images, prune, top, mcp };

const HELP = `scientist-pool ${version}: runs untrusted Python in warm, hardened, one-shot containers

  npx scientist-pool doctor               looks whether everything is as it should be
  npx scientist-pool run FILE -- ARGS     runs a script in a container; FILE - is stdin
  npx scientist-pool bench                measures what a call costs on this engine
  npx scientist-pool pull IMAGE           gets an image, so that no pool has to wait for it
  npx scientist-pool images               shows the images that an engine keeps for this package: those with
                                          packages, and on the engine local all
  npx scientist-pool prune                shows what dead processes have left on the engine, and removes it
  npx scientist-pool top [PID]            shows the pools of a process, as it shows them by scientist-pool/monitor
  npx scientist-pool mcp                  an MCP server on stdin and stdout, with a tool that runs Python

Every command takes:
  --json             prints one JSON value
  --help

doctor, run, bench, pull, images, prune and mcp also take:
  --engine ADDRESS   the engine; default: as the docker CLI finds it (DOCKER_HOST, its context, the usual sockets)

doctor, run, bench, prune and mcp also take:
  --image NAME       the image; default: CONTAINER_POOL_IMAGE, else python:3.9-slim

doctor, run, bench and mcp also take:
  --runtime NAME     the OCI runtime; on the engine local a program, such as runsc; default: the engine's

run and mcp also take:
  --timeout MS       the longest it may run; 0: no limit
  --memory SIZE      such as 256m
  --cpus NUMBER      how many processors it has, such as 1.5; default: 0.5
  --pids-limit N     the most processes and threads; default: 50
  --network NAME     one of the engine's networks; default: none
  --mount SOURCE:TARGET[:rw]
                     a file or folder of this machine, shown in the container; read-only without :rw. As often as
                     needed
  --packages WHAT    a package that is installed into the image first, such as pandas or 'numpy==2.*'; wheels from
                     PyPI, or PIP_INDEX_URL. As often as needed
  --requirements FILE
                     the same of a requirements.txt

run also takes:
  --env NAME=VALUE   a variable for the script; NAME alone: with the value it has here. As often as needed
  --cpu-time MS      the most CPU time it may use; 0: no limit
  --cwd FOLDER       its working directory; default: /tmp
  --file LOCAL[:PATH]
                     a file or a folder, put into /tmp as PATH before the call; default: as its own name. A
                     folder with the PATH . puts its files right there. As often as needed
  --collect GLOB     what to get of the files in /tmp after the call, such as 'out/**'; 1000 files and 64 MiB
                     at most. As often as needed
  --display          prints what the script shows and the value of its last expression, as text behind its output
  --out DIR          where the files go, and with --display pictures; --json lists them with their sizes

mcp also takes:
  --pool-size N      how many containers are kept warm; default: 2

bench also takes:
  --n ROUNDS         how often each step is measured; default: 20

prune also takes:
  --images           the images that the command images shows, but for those in use, in place of containers
  --yes, -y          removes without asking. Where there is no terminal to ask on, nothing is removed without it
  --dry-run          removes nothing, and does not ask

The exit code of run is the script's. 125: the pool or the engine failed. 2: this command line was wrong.
74: what there was to say could not be written.
`;

const COMMON = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
};

class UsageError extends Error {}

function parse(argv) {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return null;
  if (name === '--version') return { version };
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`there is no command ${name}`);
  const command = COMMANDS[name];
  let parsed;
  try {
    const options = { ...COMMON, ...command.options };
    parsed = parseArgs({ args: rest, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) return null;
  const fault = command.fault(positionals, values);
  if (fault !== undefined) throw new UsageError(fault);
  return { command, values, positionals };
}

/** Runs a command line; gives its exit code. */
async function main(argv, { stdin, stdout, stderr, env } = process) {
  let parsed;
  try {
    parsed = parse(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    stderr.write(`scientist-pool: ${printable(error.message)}; see scientist-pool --help\n`);
    return USAGE;
  }
  if (parsed === null) {
    stdout.write(HELP);
    return 0;
  }
  if (parsed.version !== undefined) {
    stdout.write(`${parsed.version}\n`);
    return 0;
  }
  const { command, values, positionals } = parsed;
  try {
    const io = { stdin, stdout, stderr, env };
    // What is not given is `undefined`, and left to the environment.
    const { engine, image, runtime } = values;
    return await command.perform({ values, positionals, pool: { engine, image, runtime }, io });
  } catch (error) {
    if (!(error instanceof PoolError) && error.syscall === undefined) throw error;
    if (values.json) {
      const { code, message } = error;
      stdout.write(`${printableJson({ error: { code, message } })}\n`);
    }
    stderr.write(`scientist-pool: ${printable(error.message)}\n`);
    return FAULT;
  }
}

module.exports = { COMMANDS, COMMON, main };
