'use strict';

const { once } = require('node:events');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

const { PoolError, linesOf } = require('../lib');
const places = require('../observing/monitor/places');
const { paint } = require('./paint');
const { printableJson } = require('./printable');
const { layOut } = require('./table');

/** ms between two looks. */
const PACE = 1000;

/** ms that a process may take to answer. */
const PATIENCE = 5000;

/** Characters of an answer; a longer one is taken in pieces, which are none. */
const LONGEST = 4 * 1024 ** 2;

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

/** A connection to a process that shows its pools, or why there is none. */
async function connect(pid) {
  const socket = net.connect(places.placeOf(pid));
  try {
    await once(socket, 'connect');
    return { socket };
  } catch (error) {
    return { error };
  }
}

/** The connection to the process that is meant: the given one, or the only one. */
async function find(given) {
  places.isThere();
  const pids = given === undefined ? places.pids() : [Number(given)];
  const found = [];
  for (const pid of pids) {
    const { socket, error } = await connect(pid);
    if (socket !== undefined) found.push({ pid, socket });
    else if (given === undefined && places.isNobody(error)) places.clear(pid);
  }
  if (found.length === 1) return found[0];
  for (const { socket } of found) socket.destroy();
  const which =
    given === undefined
      ? `${found.length || 'no'} processes of yours show their pools${found.length > 0 ? `: ${found.map(({ pid }) => pid).join(', ')}; name one: top PID` : ''}`
      : `process ${given} shows no pools`;
  const how = found.length > 0 ? '' : "; in it, call showPools of 'scientist-pool/monitor'";
  throw new PoolError('INVALID_ARGUMENT', which + how);
}

function rowsOf(pools) {
  return Object.entries(pools).map(([name, stats]) =>
    Object.values(COLUMNS).map((column) => String(column(stats, name))),
  );
}

/** A table of the pools. */
function table(pid, rows, colour) {
  const [head, ...body] = layOut([Object.keys(COLUMNS), ...rows]);
  return `process ${pid}\n${[colour('bold', head), ...body].join('\n')}\n`;
}

/** What a line shows, if it is what `showPools` writes: whatever listens there may have written it. */
function read(line, pid) {
  try {
    const shown = JSON.parse(line);
    // Each column is looked at: one that is not there throws.
    return { shown, rows: rowsOf(shown.pools) };
  } catch {
    throw new PoolError('INTERNAL_ERROR', `process ${pid} shows what is no list of pools`);
  }
}

async function perform({ values, positionals: [given], io }) {
  const live = Boolean(io.stdout.isTTY) && !values.json;
  const { pid, socket } = await find(given);
  const colour = paint(io);
  socket.setTimeout(PATIENCE, () => {
    const message = `process ${pid} has not answered for ${PATIENCE / 1000} s`;
    socket.destroy(new PoolError('INTERNAL_ERROR', message));
  });
  try {
    socket.write('\n');
    for await (const line of linesOf(socket, LONGEST)) {
      const { shown, rows } = read(line, pid);
      io.stdout.write(
        values.json
          ? `${printableJson(shown)}\n`
          : `${live ? AGAIN : ''}${table(pid, rows, colour)}`,
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
