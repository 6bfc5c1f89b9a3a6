// Checked by `npm run types`; never run. What a user's tests say of the fake engine.

import Pool from 'scientist-pool';
import { FakeEngine, type Job, type Outcome } from 'scientist-pool/testing';

const engine: FakeEngine = await FakeEngine.start({
  images: ['python:3.11-slim'],
  memory: 2 ** 33,
});
engine.install().reply('tool', { stdout: 'x', exitCode: 1 }, { times: 2 });
engine.reply(/tool/, ({ env, script }) => ({ stdout: script ?? '', delay: Number(env.DELAY) }));
engine.reply(
  ({ argv }: Job) => argv?.[0] === 'ls',
  async (): Promise<Outcome> => ({ reason: 'oom' }),
);
engine.fail('create', { status: 507, times: 1 }).delay('remove', 20).off('create');
const release: () => void = engine.hold('pull');
release();
const pool = new Pool({ engine: engine.address });
await engine.assertNoLeases(pool);
await engine.assertEmpty({ within: 100 });
engine.containers[0]?.die();
engine.installation = async ([first]) => (first === 'no' ? { failed: 'no', blame: 'index' } : {});
const installs: string[][] = engine.installs;
void installs;

// @ts-expect-error there is no such operation
engine.fail('destroy');
// @ts-expect-error an outcome has no such field
engine.reply('tool', { stdOut: 'x' });
// @ts-expect-error an engine is started, not made
new FakeEngine();
