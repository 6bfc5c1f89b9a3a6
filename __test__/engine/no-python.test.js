'use strict';

const { NO_PYTHON, Pools, idsOf, outside, until } = require('../support/engine');

const path = outside().hasInit ? 'warm' : 'cold';

const pools = new Pools();
let pool;
beforeEach(() => {
  pool = pools.make({ image: NO_PYTHON, poolSize: 1 });
});
afterEach(pools.close);

describe('an image without Python', () => {
  it('runs commands, with the same results', async () => {
    const container = await pool.acquire();
    const cmd = ['sh', '-c', 'cat; pwd; echo $A; echo err >&2; exit 3'];
    const options = { env: { A: '1' }, cwd: '/bin', stdin: 'in\n' };
    await expect(container.execute(cmd, options)).resolves.toMatchObject({
      stdout: 'in\n/bin\n1\n',
      stderr: 'err\n',
      exitCode: 3,
      reason: 'exit',
      path,
    });
  });

  it('says of a script that there is no python3', async () => {
    const { exitCode, stdout, stderr } = await pool.run('print(1)');
    expect([126, 127]).toContain(exitCode);
    expect(stdout + stderr).toMatch(/python3.*(not found|No such file)/);
  });

  it('keeps the timeout, and ends the container', async () => {
    const container = await pool.acquire();
    const result = await container.execute(['sleep', '60'], { timeout: 500 });
    expect(result).toMatchObject({ reason: 'timeout', exitCode: 137 });
    await until(async () => !(await idsOf(pool)).includes(container.id));
  });

  it('does not wait for a background child that holds stdout open', async () => {
    const container = await pool.acquire();
    const options = { timeout: 15_000 };
    const result = await container.execute(['sh', '-c', 'sleep 30 & echo done'], options);
    expect(result).toMatchObject({ stdout: 'done\n', reason: 'exit', exitCode: 0 });
  });

  it('tells a kill for memory from one by hand', async () => {
    const container = await pool.acquire();
    const hungry = await container.execute(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=512M']);
    expect(hungry).toMatchObject({ path, exitCode: 137, reason: 'oom' });
    const killed = await container.execute(['sh', '-c', 'kill -9 $$']);
    expect(killed).toMatchObject({ path, exitCode: 137, reason: 'signal' });
  });

  it('cuts the output at its limit', async () => {
    const container = await pool.acquire();
    const result = await container.execute(['yes'], { maxOutputBytes: 1000 });
    expect(result).toMatchObject({ reason: 'output_limit', truncated: true });
    expect(result.stdout).toHaveLength(1000);
  });

  it('notices the death of a warm container and replaces it', async () => {
    await pool.initialize();
    const [{ id }] = pool.pool;
    await outside().kill(id);
    await until(() => pool.pool.some((container) => container.id !== id));
    expect(pool.stats().totals.lost).toBe(1);
  });
});
