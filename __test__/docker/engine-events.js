'use strict';

/** Everything an engine tells of itself while this listens, as `docker events` does. */
class EngineEvents {
  #stream;
  #text = '';

  static async listen(docker) {
    const events = new EngineEvents();
    events.#stream = await docker.getEvents();
    events.#stream.on('data', (chunk) => {
      events.#text += chunk;
    });
    return events;
  }

  /** What was told. */
  async close() {
    this.#stream.destroy();
    return this.#text;
  }
}

module.exports = { EngineEvents };
