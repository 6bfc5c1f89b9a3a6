'use strict';

const { loadNative } = require('../native');
const { abortable } = require('../call/abort');
const { failure, panic } = require('../errors');
const { Delivery, makeResult } = require('./output');

/**
 * Carries out one call, from its native job to its result.
 *
 * @param {(job: object, line: object | null, onChunk: Function | null) => Promise<object | string>} perform the native
 *   side of it
 * @param {() => void} end ends what it ran in, once its caller has aborted it or a callback has failed
 * @param {number} waited how long its caller was in line, in ms
 */
function carryOut(perform, call, end, waited, site) {
  const { signal, streams, onStdout, onStderr } = call;
  const delivers = onStdout !== undefined || onStderr !== undefined;
  const line = signal || streams || delivers ? new (loadNative().NativeCall)() : null;
  const delivery = delivers ? new Delivery(call, line) : null;
  const sink = streams?.open(line) ?? delivery;
  const on = { abort: () => line.cancel(), aborted: end };
  return abortable(signal, on, async () => {
    const outcome = await outcomeOf(perform, call.job, line, sink, site).finally(() =>
      delivery?.close(),
    );
    if (delivery?.failure) {
      end();
      throw delivery.failure.error;
    }
    if (typeof outcome === 'string') throw failure(outcome, site);
    return makeResult(outcome, call, waited);
  });
}

/** What a job comes to, once its output is delivered. */
async function outcomeOf(perform, job, line, sink, site) {
  try {
    const outcome = await perform(job, line, sink?.onChunk ?? null);
    if (sink !== null && typeof outcome !== 'string') await sink.finish(outcome);
    return outcome;
  } catch (cause) {
    throw panic(cause, site);
  }
}

module.exports = { carryOut };
