'use strict';

const { runNode } = require('../support/node');

/** Collects garbage until the object behind `ref` is gone; says whether it went. */
const COLLECT = `
  async function collected(ref) {
    // Looking through a WeakRef keeps its object alive for the rest of that turn: collect in the next.
    for (let round = 0; round < 50; round++) {
      await new Promise(setImmediate);
      gc();
      await new Promise(setImmediate);
      if (ref.deref() === undefined) return true;
    }
    return false;
  }
  const Pool = require('scientist-pool');`;

const printedBy = async (source) => {
  const end = await runNode(COLLECT + source, { double: true, flags: ['--expose-gc'] });
  expect(end).toMatchObject({ stderr: '', code: 0 });
  return end.stdout.trim();
};

test('a pool that nobody holds is collected, though its native part calls it back', async () => {
  const source = `
    const make = () => new WeakRef(new Pool());
    collected(make()).then(console.log);`;
  expect(await printedBy(source)).toBe('true');
});

test('a container that its holder dropped is collected, though the pool knows it', async () => {
  const source = `
    const pool = new Pool();
    const make = async () => new WeakRef(await pool.acquire());
    make().then(collected).then((gone) => console.log(gone, pool.image));`;
  expect(await printedBy(source)).toBe('true python:3.9-slim');
});

test('a leased container keeps its pool', async () => {
  const source = `
    let container;
    const make = async () => {
      const pool = new Pool();
      container = await pool.acquire();
      return new WeakRef(pool);
    };
    make().then(collected).then((gone) => console.log(gone, container.status));`;
  expect(await printedBy(source)).toBe('false READY');
});
