'use strict';

const { tracingChannel } = require('node:diagnostics_channel');
const { debuglog } = require('node:util');

/** `NODE_DEBUG=scientist-pool`. Loaded before the first line, so `enabled` is known from the beginning. */
const debug = debuglog('scientist-pool');

/**
 * The tracing channels, `tracing:scientist-pool:<name>:start` and so on. `index.d.ts` says what their
 * messages hold. Never in them: scripts, commands, arguments, environments, output and files.
 */
const channels = Object.fromEntries(
  ['acquire', 'create', 'execute', 'files', 'destroy', 'pull'].map((name) => [
    name,
    tracingChannel(`scientist-pool:${name}`),
  ]),
);

const STEPS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** `hasSubscribers` of the five together; Node 20 has that since 20.13 only. */
function isWatched(channel) {
  return STEPS.some((step) => channel[step].hasSubscribers);
}

/**
 * Does some work, told on a channel and in the debug log. Where nobody listens that is all: neither
 * `describe` nor `summarize` is called.
 *
 * @param {() => object} describe the message, without secrets
 * @param {(value: unknown) => object} [summarize] the message's `result`, without secrets
 */
function trace(name, describe, work, summarize) {
  const channel = channels[name];
  if (!isWatched(channel) && !debug.enabled) return work();
  return traced(channel, name, describe(), work, summarize);
}

async function traced(channel, name, message, work, summarize) {
  const began = performance.now();
  const ms = () => Math.round(performance.now() - began);
  let value;
  try {
    await channel.tracePromise(async () => {
      value = await work();
      return summarize?.(value);
    }, message);
  } catch (error) {
    const { error: _, ...told } = message;
    debug('%s failed after %d ms: %s %o', name, ms(), error?.code ?? error?.name, told);
    throw error;
  }
  debug('%s took %d ms %o', name, ms(), message);
  return value;
}

/** Tells on a channel what is over already. */
function tell(name, message) {
  const channel = channels[name];
  if (!isWatched(channel)) return;
  // The order of `tracePromise`.
  channel.start.publish(message);
  channel.end.publish(message);
  if ('error' in message) channel.error.publish(message);
  channel.asyncStart.publish(message);
  channel.asyncEnd.publish(message);
}

/**
 * Creates and pulls, which the native side does by itself: it reports them when they are over, and of
 * a pull each step.
 */
class Background {
  #image;
  /** When the first and the last step of the pull under way came, ms since the epoch; or `null`. */
  #pull = null;

  constructor(image) {
    this.#image = image;
  }

  /** Takes an event of the pool; `error` is that of an `error` event. */
  take(type, fields, error) {
    if (debug.enabled)
      debug('%s %o', type, error === undefined ? fields : `${fields.during}: ${error}`);
    if (type === 'pull') this.#step();
    else if (type === 'created') this.#created(fields);
    else if (type === 'error') this.#failed(error, fields.during);
  }

  #step() {
    const now = Date.now();
    this.#pull ??= { began: now, last: now };
    this.#pull.last = now;
  }

  #created({ id, ms }) {
    this.#endPull();
    tell('create', {
      image: this.#image,
      startTime: Date.now() - ms,
      duration: ms,
      result: { containerId: id },
    });
  }

  #failed(error, during) {
    if (during === 'create') {
      this.#endPull();
      tell('create', { image: this.#image, startTime: null, duration: null, error });
    } else if (
      during === 'prepare' &&
      (this.#pull !== null || error.code === 'IMAGE_PULL_FAILED')
    ) {
      this.#endPull({ error });
    }
  }

  /** A pull came to its end some time before the next thing that happened. */
  #endPull(outcome = this.#pull && { result: {} }) {
    if (outcome === null) return;
    const { began, last } = this.#pull ?? { began: null, last: null };
    this.#pull = null;
    const duration = began === null ? null : last - began;
    tell('pull', { image: this.#image, startTime: began, duration, ...outcome });
  }
}

module.exports = { Background, trace };
