'use strict';

// What a killed process leaves on a Docker engine because a fault comes in the same moment: a container that
// had no process yet, and so no lifeline. The next pool on this host removes it, and no other (invariant 3).

const { containersOf, docker } = require('../support/docker');
const { sweep, until } = require('../support/engine');
const { Children } = require('../support/children');
const { CALLS } = require('../support/fake-bench');
const { EngineProxy } = require('../../harness/proxy');

const { CREATE, START, ATTACH } = CALLS;

const children = new Children();
let label;
let options;
beforeEach(() => {
  label = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  options = { labels: { 'test.pool': label }, poolSize: 2 };
});
afterEach(children.end);

const left = () => containersOf({ label });

describe('with a fault in the same moment', () => {
  let proxy;
  beforeEach(async () => {
    proxy = await EngineProxy.start(process.env.SCIENTIST_POOL_TEST_ENGINE);
  });
  afterEach(() => proxy.close());

  it.each([
    ['created', CREATE, 'lose', 'created'],
    ['attached to', ATTACH, 'hold', 'created'],
    ['started', START, 'hold', 'created'],
  ])('a container that was about to be %s is removed by the next pool', async (_, route, fault) => {
    // One container alone: of more, some might be made only after they were counted.
    const child = await children.start({ ...options, poolSize: 0 }, { engine: proxy.address });
    // An engine may list what it has not made to its end, and what is removed then stays on its list.
    let reached = () => false;
    proxy.on(route, (call) => {
      if (fault === 'lose') call.cut('answer', 0, 'stall');
      reached = () => fault !== 'lose' || call.answered;
    });
    child.tell('acquire');
    await until(async () => reached() && (await left()).length > 0);
    await child.kill('SIGKILL');
    const ids = (await left()).map(({ Id }) => Id);
    expect(ids.length).toBeGreaterThan(0);
    expect((await sweep()).sort()).toEqual(ids.sort());
    expect(await left()).toEqual([]);
  });
});

describe('what the next pool leaves alone', () => {
  /** A container with these labels, whose owner is another one than the labels of this process say. */
  async function planted(labels) {
    const { id } = await docker().createContainer({
      Image: 'busybox:stable',
      Labels: { 'test.pool': label, ...labels },
    });
    return id;
  }

  it('is all whose owner is not proven to be gone', async () => {
    const child = await children.start({ ...options, poolSize: 1 });
    await child.ask('initialize');
    const [{ Id: living, Labels: theirs }] = await left();
    await child.kill('SIGKILL');
    await until(async () => (await left()).length === 0);
    const own = Object.fromEntries(
      Object.entries(theirs).filter(([name]) => name.startsWith('scientist-pool.')),
    );
    const alive = String(process.pid);
    const keep = [
      await planted({}),
      await planted({ ...own, 'scientist-pool.host': 'another' }),
      await planted({ ...own, 'scientist-pool.host': '' }),
      await planted({ ...own, 'scientist-pool.pid': alive, 'scientist-pool.started': '' }),
      await planted({ ...own, 'scientist-pool.pid': 'none' }),
    ];
    const remove = [
      await planted(own),
      // The same number, given to another process since.
      await planted({ ...own, 'scientist-pool.pid': alive, 'scientist-pool.started': '1' }),
    ];
    expect((await sweep()).sort()).toEqual(remove.sort());
    expect((await left()).map(({ Id }) => Id).sort()).toEqual(keep.sort());
    expect(keep).not.toContain(living);
    for (const id of keep) await docker().getContainer(id).remove();
  });
});
