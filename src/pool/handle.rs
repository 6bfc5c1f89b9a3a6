//! The pool as its owner sees it.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::Instant};

use super::{
    acquire::{self, Acquired},
    core::{snapshot, Core},
    drain,
    drive::{attend, step},
    events::{OnEvent, PoolState},
    failure,
    lease::Member,
    provider::Provider,
    stats::Stats,
};
use crate::{
    config::{PoolConfig, PoolSize},
    error::Result,
};

/// A pool of items of one provider. Cheap to clone; all clones are the same pool.
///
/// Making one starts nothing: the first [`Pool::initialize`] or acquire does.
pub struct Pool<P: Provider>(Arc<Owner<P>>);

/// Tells the last handle of a pool from the tasks that hold its core.
struct Owner<P: Provider> {
    core: Arc<Core<P>>,
}

impl<P: Provider> Pool<P> {
    /// A pool whose work runs on `runtime`, which needs its timer enabled.
    pub fn new(provider: P, config: PoolConfig, runtime: Handle, on_event: OnEvent) -> Self {
        Self::with_seed(provider, config, runtime, on_event, rand::random())
    }

    /// As [`Pool::new`], with the seed of all jitter.
    pub(super) fn with_seed(
        provider: P,
        config: PoolConfig,
        runtime: Handle,
        on_event: OnEvent,
        seed: u64,
    ) -> Self {
        let core = Arc::new(Core::new(provider, config, runtime, on_event, seed));
        attend(&core);
        Self(Arc::new(Owner { core }))
    }

    /// Prepares the provider if that isn't done, and fills the pool up to its target. Concurrent calls
    /// share one warm-up. Opens a pool that was shut down, once the shutdown is through; who calls
    /// [`Pool::acquire`] meanwhile is in line.
    ///
    /// An item that is leased as soon as it is made counts as made. At `max`, a pool is full with fewer
    /// warm ones than its target.
    ///
    /// # Errors
    ///
    /// The provider's first error in preparing or creating (after one in creating, the pool goes on
    /// filling up in the background), or `POOL_CLOSED` when a shutdown comes in between.
    pub async fn initialize(&self) -> Result<()> {
        let end = step(self.core(), |state, _| state.warm_up());
        end.await.unwrap_or_else(|_| Err(failure::runtime_gone()))
    }

    /// The oldest warm item at once, without a task switch; nothing warm: waits in line for one to be
    /// made or to become free. Works before [`Pool::initialize`], and opens the pool as that does.
    ///
    /// `deadline` is counted from the call; `None`: waits for ever. `cancel` ends the wait when it
    /// resolves, and wins over an item that arrives in the same instant. Cancelled, timed out or
    /// dropped, the call leaves no item behind.
    ///
    /// # Errors
    ///
    /// `ACQUIRE_TIMEOUT`, with the last failed create as its cause; `POOL_EXHAUSTED` when
    /// `max_waiting` callers are in line beyond those for whom there is room to create;
    /// `POOL_CLOSED`; `CONTAINER_TERMINATED` when cancelled; the provider's error in preparing, or in
    /// the create that was to serve this caller.
    pub async fn acquire(
        &self,
        deadline: Option<Duration>,
        cancel: impl Future<Output = ()>,
    ) -> Result<Acquired<P>> {
        acquire::acquire(self.core(), deadline, cancel).await
    }

    /// The oldest warm item if there is one and nobody is in line. Starts a refill, but nothing else:
    /// `None` leaves no trace.
    ///
    /// # Errors
    ///
    /// `POOL_CLOSED`.
    pub fn try_acquire(&self) -> Result<Option<Acquired<P>>> {
        acquire::try_acquire(self.core(), Instant::now())
    }

    /// Sets the target, or the range in which it follows demand; the pool grows or shrinks to it in the
    /// background.
    pub fn resize(&self, pool_size: PoolSize) {
        step(self.core(), |state, _| state.resize(pool_size));
    }

    /// The warm items, oldest first.
    pub fn ready(&self) -> Vec<Member<P>> {
        let slots = self.core().look(|state| state.warm_slots());
        slots.into_iter().map(|slot| Member { core: self.core().clone(), slot }).collect()
    }

    /// The warm or leased item with this id.
    pub fn find(&self, id: &str) -> Option<Member<P>> {
        let slot = self.core().look(|state| state.find(id))?;
        Some(Member { core: self.core().clone(), slot })
    }

    /// The pool in figures, as of now.
    pub fn stats(&self) -> Stats {
        let latency = snapshot(&self.core().meters);
        self.core().look(|state| Stats {
            warm: state.warm(),
            creating: state.creating(),
            leased: state.leased(),
            destroying: state.destroying(),
            waiting: state.waiting(),
            pool_size: state.pool_size(),
            pool_size_range: state.pool_size_range(),
            max: state.max(),
            state: state.pool_state(),
            initializing: state.initializing(),
            totals: state.totals,
            latency,
        })
    }

    /// The target, as in [`Stats::pool_size`], without the rest of them.
    pub fn pool_size(&self) -> usize {
        self.core().look(|state| state.pool_size())
    }

    /// How the pool stands, as in [`Stats::state`], without the rest of them.
    pub fn state(&self) -> PoolState {
        self.core().look(|state| state.pool_state())
    }

    /// Warm, creating, leased, destroying, in line.
    #[cfg(test)]
    pub(super) fn counts(&self) -> [usize; 5] {
        self.core().look(|state| {
            [state.warm(), state.creating(), state.leased(), state.destroying(), state.waiting()]
        })
    }

    /// The provider that the pool was made with.
    pub fn provider(&self) -> &P {
        &self.core().provider
    }

    /// Closes the pool at once, turns away those in line (`POOL_CLOSED`), ends the warm items, waits for
    /// creates under way and ends what they make, gives leases `grace` and then ends theirs too.
    /// Returns when the removal of everything is confirmed.
    ///
    /// Idempotent; concurrent calls share one shutdown, with the shortest of their graces. Dropping the
    /// call doesn't stop it. Takes at most `grace` and half a minute.
    ///
    /// # Errors
    ///
    /// An `ENGINE_ERROR` that names what may be left, when the engine did not confirm everything in
    /// that time. The pool is closed nevertheless.
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        drain::end(drain::close(self.core(), grace)).await
    }

    /// The first rule of the state that did not hold after some step.
    #[cfg(test)]
    pub(super) fn violation(&self) -> Option<&'static str> {
        self.core().look(|state| state.violation)
    }

    #[cfg(test)]
    pub(super) fn totals(&self) -> super::stats::Totals {
        self.core().look(|state| state.totals)
    }

    /// Whether creates are possible without preparing first.
    #[cfg(test)]
    pub(super) fn is_prepared(&self) -> bool {
        self.core().look(|state| state.is_prepared())
    }

    fn core(&self) -> &Arc<Core<P>> {
        &self.0.core
    }
}

impl<P: Provider> Clone for Pool<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Provider> Drop for Owner<P> {
    fn drop(&mut self) {
        // Its outcome is for those who asked; here nobody is left to tell.
        drop(drain::close(&self.core, Duration::MAX));
    }
}
