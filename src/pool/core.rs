//! The state with its lock, and the one way to step it.

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
    time::sleep_until,
};

use super::{
    create,
    events::{Event, OnEvent},
    failure,
    latency::Latency,
    provider::Provider,
    removal,
    state::{Effect, Effects, State},
    stats::Latencies,
    watcher,
};
use crate::{
    budget::{Seat, Terms},
    config::PoolConfig,
    error::Result,
    task,
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

    /// Has the pool settle whenever its turn at the budget may have come, for as long as it is there.
    pub fn attend(self: &Arc<Self>) {
        let (core, bell) = (Arc::downgrade(self), self.seat.bell());
        task::spawn_on(&self.runtime, async move {
            loop {
                bell.notified().await;
                let Some(core) = core.upgrade() else { return };
                core.step(|_, _| ());
            }
        });
    }

    /// Takes a step, lets the pool settle, and does what follows from both.
    pub fn step<R>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut State<P::Item>, &mut Effects<P::Item>) -> R,
    ) -> R {
        let mut effects = Effects::new();
        let result = {
            let mut state = lock(&self.state);
            let result = step(&mut state, &mut effects);
            state.settle(tokio::time::Instant::now(), &mut effects);
            result
        };
        for effect in effects {
            self.perform(effect);
        }
        self.progress.notify_waiters();
        result
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

    fn perform(self: &Arc<Self>, effect: Effect<P::Item>) {
        match effect {
            Effect::Prepare(permit) => create::prepare(self.clone(), permit),
            Effect::Create(permit, lane) => create::create(self.clone(), permit, lane),
            Effect::Watch(slot) => watcher::watch(self.clone(), slot),
            Effect::Remove(slot) => removal::remove(self.clone(), slot),
            Effect::Alarm(at) => {
                let core = self.clone();
                task::spawn_on(&self.runtime, async move {
                    tokio::select! {
                        () = sleep_until(at) => core.step(|state, _| state.alarmed()),
                        () = core.provider.recovered() => core.step(|state, _| state.recovered()),
                    }
                });
            }
            Effect::Glance(at) => {
                let core = self.clone();
                task::spawn_on(&self.runtime, async move {
                    sleep_until(at).await;
                    core.step(|state, _| state.glance());
                });
            }
            Effect::Serve(waiter, slot) => {
                if let Err(Ok(slot)) = waiter.send(Ok(slot)) {
                    self.step(|state, effects| state.give_back(&slot, effects));
                }
            }
            Effect::Reject(waiter, error) => {
                // An error means that the waiter is gone, and needs no answer.
                let _ = waiter.send(Err(error));
            }
            Effect::WarmedUp(callers, result) => {
                for caller in callers {
                    let _ = caller.send(result.clone());
                }
            }
            Effect::Emit(event) => self.emit(event),
        }
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
