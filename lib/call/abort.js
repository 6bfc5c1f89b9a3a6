'use strict';

/**
 * Does work that the caller's signal may end. Once the signal is aborted, before the work or during it, the
 * answer is its reason, whatever the work comes to.
 *
 * @param {AbortSignal | undefined} signal
 * @param {object} on
 * @param {() => void} on.abort has the work under way come to its end
 * @param {() => void} [on.aborted] once nothing is under way any more, before the answer
 * @param {() => Promise<unknown>} work not begun if the signal is aborted already
 */
function abortable(signal, on, work) {
  return signal === undefined ? work() : watched(signal, on, work);
}

async function watched(signal, { abort, aborted }, work) {
  if (!signal.aborted) {
    signal.addEventListener('abort', abort, { once: true });
    try {
      const value = await work();
      if (!signal.aborted) return value;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
  aborted?.();
  throw signal.reason;
}

module.exports = { abortable };
