'use strict';

// What the backend has in its database, here in memory. The tests mock this module.

class Collection {
  #documents = new Map();

  async save(document) {
    this.#documents.set(document.name, document);
    return document;
  }

  async findOne({ name }) {
    return this.#documents.get(name) ?? null;
  }

  async find(matches) {
    const wanted = Object.entries(matches);
    return [...this.#documents.values()].filter((document) =>
      wanted.every(([field, value]) => document[field] === value),
    );
  }
}

module.exports = {
  /** `{ name, source }`: Python with a function `execute(env, args)`. */
  Tool: new Collection(),
  /** `{ name, when, source }`: Python that is run `before` or `after` every tool. */
  Hook: new Collection(),
  /** `{ name, source }`: Python with a function `check(env)` that gives whether the goal is reached. */
  Goal: new Collection(),
};
