import ContainerPoolManager = require('../../index.js');

/**
 * Shows the pools of this process to `npx scientist-pool top`, on a local socket that its user alone can
 * reach: below `XDG_RUNTIME_DIR`, else below the temporary folder, in a folder of mode 700 that must be the
 * user's own. It does not keep Node alive. Shown are `stats()` and the image, nothing of any call. At most
 * 16 connections, each with one answer at a time.
 *
 * On Windows it is a named pipe, with the access that Windows gives by itself: other users can open it to
 * read, but not ask, and what is not asked for is not sent; they can use up its connections. A pipe of that
 * name can be another user's: run `top` as the user of the process, not as an administrator.
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
 * @throws Where the folder, or the one it is in, belongs to somebody else, or others can enter it; where this
 *   process shows its pools already.
 */
export function showPools(pools: Pools | (() => Pools)): Promise<() => Promise<void>>;

/** Pools by the names under which they are shown. */
export type Pools = Readonly<Record<string, Pick<ContainerPoolManager, 'stats' | 'image'>>>;
