'use strict';

const { ASYNC_DISPOSE } = require('../async-dispose');
const { readSessionRun } = require('../call/arguments');
const { trace } = require('../diagnostics');
const { callSite, onBehalfOf, panic, readAt } = require('../errors');
const { carryOut } = require('./carry-out');
const { withoutOutput } = require('./output');

/** What ends with its container, not by itself. */
const NOTHING = () => {};

/** An interpreter that stays in a container for many runs. `index.d.ts` is its documentation. */
class Session {
  #native;
  /** Kept: a container that nobody holds ends. */
  #container;
  #settings;
  #closing = null;

  constructor(native, container, settings) {
    this.#native = native;
    this.#container = container;
    this.#settings = settings;
  }

  get ended() {
    return this.#native.isOver;
  }

  async run(code, options) {
    const site = callSite(run);
    const call = readAt(site, () => readSessionRun(code, options, this.#settings));
    const { image } = this.#settings;
    return trace(
      'execute',
      () => ({
        image,
        containerId: this.#container.id,
        kind: 'session',
        timeout: call.job.timeoutMs,
      }),
      async () => {
        const perform = (job, line, onChunk) => this.#native.run(job, line, onChunk);
        const result = await carryOut(perform, call, NOTHING, 0, site);
        return { ...result, sessionEnded: this.ended };
      },
      withoutOutput,
    );
  }

  async close() {
    const site = callSite(close);
    this.#closing ??= this.#native.close();
    try {
      await this.#closing;
    } catch (cause) {
      throw panic(cause, site);
    }
  }

  async [ASYNC_DISPOSE]() {
    await onBehalfOf(dispose, () => this.close());
  }
}

// Taken before anybody can put something else in their place: call sites are told by them.
const { close, run, [ASYNC_DISPOSE]: dispose } = Session.prototype;

module.exports = { Session };
