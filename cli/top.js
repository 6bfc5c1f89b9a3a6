'use strict';

const { once } = require('node:events');
const net = require('node:net');
const readline = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const { PoolError } = require('../lib/errors');
const places = require('../monitor/places');
const { paint } = require('./paint');
const { layOut } = require('./table');

/** ms between two looks. */
const PACE = 1000;

/** The cursor to the upper left corner, and nothing below it (ECMA-48: CUP, ED). */
const AGAIN = '\x1b[H\x1b[J';

const COLUMNS = {
  pool: (_, name) => name,
  state: ({ state }) => state,
  warm: ({ warm, poolSize }) => `${warm}/${poolSize}`,
  creating: ({ creating }) => creating,
  leased: ({ leased }) => leased,
  ending: ({ destroying }) => destroying,
  waiting: ({ waiting }) => waiting,
  max: ({ max }) => max ?? '?',
  calls: ({ callsWarm, callsCold }) => callsWarm + callsCold,
  cold: ({ callsCold }) => callsCold,
  lost: ({ totals }) => totals.lost,
  errors: ({ totals }) => totals.errors,
  'create p50': ({ latency: { create } }) =>
    create.count > 0 ? `${Math.round(create.p50)} ms` : '-',
};

function fault([pid, extra]) {
  if (pid !== undefined && !/^\d+$/.test(pid)) return `top takes a process id; got ${pid}`;
  return extra === undefined ? undefined : `top takes no ${extra}`;
}

/** A connection to a process that shows its pools, or `null`. */
async function connect(pid) {
  const socket = net.connect(places.placeOf(pid));
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return null;
  }
}

/** The connection to the process that is meant: the given one, or the only one. */
async function find(given) {
  const pids = given === undefined ? places.pids() : [Number(given)];
  const found = [];
  for (const pid of pids) {
    const socket = await connect(pid);
    if (socket !== null) found.push({ pid, socket });
    else if (given === undefined) places.clear(pid);
  }
  if (found.length === 1) return found[0].socket;
  for (const { socket } of found) socket.destroy();
  const which =
    given === undefined
      ? `${found.length || 'no'} processes of yours show their pools${found.length > 0 ? `: ${found.map(({ pid }) => pid).join(', ')}; name one: top PID` : ''}`
      : `process ${given} shows no pools`;
  const how = found.length > 0 ? '' : "; in it, call showPools of 'scientist-pool/monitor'";
  throw new PoolError('INVALID_ARGUMENT', which + how);
}

/** A table of the pools. */
function table({ pid, pools }, colour) {
  const names = Object.keys(COLUMNS);
  const rows = Object.entries(pools).map(([name, stats]) =>
    names.map((column) => String(COLUMNS[column](stats, name))),
  );
  const [head, ...body] = layOut([names, ...rows]);
  return `process ${pid}\n${[colour('bold', head), ...body].join('\n')}\n`;
}

async function perform({ values, positionals: [given], io }) {
  const live = Boolean(io.stdout.isTTY) && !values.json;
  const socket = await find(given);
  const colour = paint(io);
  try {
    const lines = readline.createInterface({ input: socket });
    socket.write('\n');
    for await (const line of lines) {
      io.stdout.write(
        values.json ? `${line}\n` : `${live ? AGAIN : ''}${table(JSON.parse(line), colour)}`,
      );
      if (!live) break;
      await sleep(PACE);
      socket.write('\n');
    }
  } finally {
    socket.destroy();
  }
  return 0;
}

module.exports = { fault, options: {}, perform };
