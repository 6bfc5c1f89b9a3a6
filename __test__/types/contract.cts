// Checked by `npm run types`; never run. The same contract as CommonJS code sees it.

import ContainerPoolManager = require('scientist-pool');

const { acquire, PoolError, Container, ContainerPoolManager: Pool } = ContainerPoolManager;

async function main(): Promise<ContainerPoolManager.ExecuteResult> {
  const pool: ContainerPoolManager = Pool.getInstance();
  const container: ContainerPoolManager.Container = await acquire();
  try {
    return await container.execute('print(1)');
  } catch (error) {
    if (error instanceof PoolError && error.code === 'CONTAINER_LOST') error.containerId;
    throw error;
  } finally {
    await container.destroy();
    await pool.shutdown();
    container instanceof Container satisfies boolean;
  }
}

void main();
