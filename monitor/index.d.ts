import ContainerPoolManager = require('../index.js');

/**
 * Shows the pools of this process to `npx scientist-pool top`, on a local socket that its user alone can
 * reach: below `XDG_RUNTIME_DIR`, else in a folder of mode 700 below the temporary one; on Windows a
 * named pipe. It does not keep Node alive. Shown are `stats()` and the image, nothing of any call.
 *
 * @example
 * ```js
 * const { showPools } = require('scientist-pool/monitor');
 * const ContainerPoolManager = require('scientist-pool');
 *
 * const stop = await showPools({ tools: ContainerPoolManager.getInstance() });
 * await stop(); // at the end
 * ```
 *
 * @param pools By their names; or a function that gives them, asked at each look.
 * @returns Ends it.
 * @throws Where the folder belongs to somebody else, or this process shows its pools already.
 */
export function showPools(pools: Pools | (() => Pools)): Promise<() => Promise<void>>;

/** Pools by the names under which they are shown. */
export type Pools = Readonly<Record<string, Pick<ContainerPoolManager, 'stats' | 'image'>>>;
