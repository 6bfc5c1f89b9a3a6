//! What the whole pool shares: the provider, the state with its lock, the bells and the meters.

use std::{
    future::Future,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use rand::{rngs::StdRng, SeedableRng};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
    time::Instant,
};

use super::{
    events::{Event, OnEvent},
    failure,
    latency::Latency,
    provider::Provider,
    state::{Effects, State},
    stats::Latencies,
};
use crate::{
    budget::{Seat, Terms},
    config::PoolConfig,
    error::Result,
};

pub(super) struct Core<P: Provider> {
    pub provider: P,
    pub create_timeout: Duration,
    /// The pool's place among those on the same engine.
    pub seat: Arc<Seat>,
    /// One permit for each removal of this pool that may be under way, or in line at the budget.
    pub removals: Semaphore,
    /// Rung after every step, for whoever waits for the counts to change.
    pub progress: Notify,
    /// Rung when a shutdown begins: removals that wait to be tried again are tried now.
    pub hurry: Notify,
    /// Where the pool was made: a lease may be dropped, and steps taken, on any thread.
    pub runtime: Handle,
    pub meters: Mutex<Meters>,
    state: Mutex<State<P::Item>>,
    on_event: OnEvent,
}

pub(super) struct Meters {
    pub acquire_warm: Latency,
    pub acquire_on_demand: Latency,
    pub create: Latency,
    pub destroy: Latency,
}

impl Meters {
    pub fn snapshot(&self) -> Latencies {
        Latencies {
            acquire_warm: self.acquire_warm.percentiles(),
            acquire_on_demand: self.acquire_on_demand.percentiles(),
            create: self.create.percentiles(),
            destroy: self.destroy.percentiles(),
        }
    }
}

impl<P: Provider> Core<P> {
    pub fn new(
        provider: P,
        config: PoolConfig,
        runtime: Handle,
        on_event: OnEvent,
        seed: u64,
    ) -> Self {
        let seat = Arc::new(provider.budget().seat(Terms {
            bytes: provider.bytes(),
            bounded: config.max.is_none(),
            starts: config.create_concurrency,
            removals: config.destroy_concurrency,
        }));
        Self {
            provider,
            create_timeout: config.create_timeout,
            removals: Semaphore::new(config.destroy_concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            progress: Notify::new(),
            hurry: Notify::new(),
            runtime,
            meters: Mutex::new(Meters {
                acquire_warm: Latency::new(),
                acquire_on_demand: Latency::new(),
                create: Latency::new(),
                destroy: Latency::new(),
            }),
            state: Mutex::new(State::new(config, seat.clone(), StdRng::seed_from_u64(seed))),
            on_event,
            seat,
        }
    }

    /// Takes a step and lets the pool settle; gives what is to be done for both, now that the lock is
    /// released.
    #[must_use = "what the state decided has to be done"]
    pub fn decide<R>(
        &self,
        step: impl FnOnce(&mut State<P::Item>, &mut Effects<P::Item>) -> R,
    ) -> (R, Effects<P::Item>) {
        let mut effects = Effects::new();
        let mut state = lock(&self.state);
        let result = step(&mut state, &mut effects);
        state.settle(Instant::now(), &mut effects);
        (result, effects)
    }

    /// Reads the state.
    pub fn look<R>(&self, look: impl FnOnce(&State<P::Item>) -> R) -> R {
        look(&lock(&self.state))
    }

    pub fn meter(&self, record: impl FnOnce(&mut Meters)) {
        record(&mut lock(&self.meters));
    }

    pub fn emit(&self, event: Event) {
        // The owner's callback must not take a task of the pool down with it; the panic's own message
        // has been printed by then.
        if catch_unwind(AssertUnwindSafe(|| (self.on_event)(event))).is_err() {
            self.panicked();
        }
    }

    /// Runs the provider's work; a panic in it becomes an error.
    pub async fn contained<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
            self.panicked();
            Err(failure::panicked(what, &*panic))
        })
    }

    /// Counts a panic that was caught.
    pub fn panicked(&self) {
        lock(&self.state).totals.panics += 1;
    }
}

/// No step leaves the state half-changed where it can panic, so what a panic elsewhere left is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the lock of the meters too.
pub(super) fn snapshot(meters: &Mutex<Meters>) -> Latencies {
    lock(meters).snapshot()
}
