//! The one way to step the state: does what it decides, and tells it how that ended.
//!
//! The work itself, below, knows nothing of that: its answer comes back here.

use std::{sync::Arc, thread};

use tokio::time::{sleep_until, Instant};

use super::{
    core::Core,
    create,
    events::Event,
    failure,
    provider::{Pooled, Prepared, Provider},
    removal,
    slot::{is_gone, Removal, Slot},
    state::{CreatePermit, Effect, Effects, PreparePermit, State},
    watcher::{self, News},
};
use crate::{
    budget::Lane,
    error::{Code, Error, Result},
    task,
};

/// Takes a step, lets the pool settle, and does what follows from both.
pub(super) fn step<P: Provider, R>(
    core: &Arc<Core<P>>,
    step: impl FnOnce(&mut State<P::Item>, &mut Effects<P::Item>) -> R,
) -> R {
    let (result, effects) = core.decide(step);
    for effect in effects {
        perform(core, effect);
    }
    core.progress.notify_waiters();
    result
}

/// Has the pool settle whenever its turn at the budget may have come, for as long as it is there.
pub(super) fn attend<P: Provider>(core: &Arc<Core<P>>) {
    let (runtime, bell) = (&core.runtime, core.seat.bell());
    let core = Arc::downgrade(core);
    task::spawn_on(runtime, async move {
        loop {
            bell.notified().await;
            let Some(core) = core.upgrade() else { return };
            step(&core, |_, _| ());
        }
    });
}

fn perform<P: Provider>(core: &Arc<Core<P>>, effect: Effect<P::Item>) {
    match effect {
        Effect::Prepare(permit) => prepare(core.clone(), permit),
        Effect::Create(permit, lane) => create(core.clone(), permit, lane),
        Effect::Watch(slot) => watch(core.clone(), slot),
        Effect::Remove(slot) => remove(core.clone(), slot),
        Effect::Alarm(at) => {
            let (runtime, core) = (&core.runtime, core.clone());
            task::spawn_on(runtime, async move {
                tokio::select! {
                    () = sleep_until(at) => step(&core, |state, _| state.alarmed()),
                    () = core.provider.recovered() => step(&core, |state, _| state.recovered()),
                }
            });
        }
        Effect::Glance(at) => {
            let (runtime, core) = (&core.runtime, core.clone());
            task::spawn_on(runtime, async move {
                sleep_until(at).await;
                step(&core, |state, _| state.glance());
            });
        }
        Effect::Serve(waiter, slot) => {
            if let Err(Ok(slot)) = waiter.send(Ok(slot)) {
                step(core, |state, effects| state.give_back(&slot, effects));
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
        Effect::Emit(event) => core.emit(event),
    }
}

fn prepare<P: Provider>(core: Arc<Core<P>>, permit: PreparePermit) {
    let runtime = core.runtime.clone();
    let cut_off = permit.cut_off();
    let held = Held { core, permit: Some(permit) };
    task::spawn_on(&runtime, async move {
        let result = create::prepare(&held.core, cut_off).await;
        held.settle(result);
    });
}

fn create<P: Provider>(core: Arc<Core<P>>, permit: CreatePermit, lane: Lane) {
    let runtime = core.runtime.clone();
    let cut_off = permit.cut_off();
    let held = Held { core, permit: Some(permit) };
    task::spawn_on(&runtime, async move {
        let result = create::create(&held.core, cut_off, lane).await;
        held.settle(result);
    });
}

fn watch<P: Provider>(core: Arc<Core<P>>, slot: Arc<Slot<P::Item>>) {
    let runtime = core.runtime.clone();
    task::spawn_on(&runtime, async move {
        let tell = |news| {
            step(&core, |state, effects| match news {
                News::Lost => state.lost(&slot, Instant::now(), effects),
                News::Lasted => state.proved(),
                News::Expired => state.expire(&slot),
            });
        };
        watcher::watch(&slot, tell).await;
    });
}

/// The state counts the item as destroying already.
fn remove<P: Provider>(core: Arc<Core<P>>, slot: Arc<Slot<P::Item>>) {
    let runtime = core.runtime.clone();
    let removing = Removing { core, slot, asked: Instant::now(), settled: false };
    task::spawn_on(&runtime, async move {
        let (core, slot) = (removing.core.clone(), removing.slot.clone());
        let failed = |error: &Error, attempt| {
            step(&core, |state, effects| state.destroy_failed(error, attempt, effects))
        };
        match removal::remove(&core, &slot, failed).await {
            Ok(()) => removing.succeed(),
            Err(error) => removing.give_up(error),
        }
    });
}

/// A permit on its way back to the state.
struct Held<P: Provider, T: Permit<P>> {
    core: Arc<Core<P>>,
    permit: Option<T>,
}

trait Permit<P: Provider> {
    type Made;

    fn settle(self, core: &Arc<Core<P>>, result: Result<Self::Made>);
    fn runtime_gone(self, core: &Arc<Core<P>>);
}

impl<P: Provider, T: Permit<P>> Held<P, T> {
    fn settle(mut self, result: Result<T::Made>) {
        if let Some(permit) = self.permit.take() {
            permit.settle(&self.core, result);
        }
    }
}

impl<P: Provider, T: Permit<P>> Drop for Held<P, T> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        if thread::panicking() {
            self.core.panicked();
            let error = Error::new(Code::EngineError, "internal error (panic); please report it");
            permit.settle(&self.core, Err(error));
        } else {
            // Nobody drops these tasks but the runtime, when it ends.
            permit.runtime_gone(&self.core);
        }
    }
}

impl<P: Provider> Permit<P> for PreparePermit {
    type Made = Prepared;

    fn settle(self, core: &Arc<Core<P>>, result: Result<Prepared>) {
        step(core, |state, effects| state.prepared(self, result, Instant::now(), effects));
    }

    fn runtime_gone(self, core: &Arc<Core<P>>) {
        step(core, |state, effects| state.runtime_gone_preparing(self, effects));
    }
}

impl<P: Provider> Permit<P> for CreatePermit {
    type Made = P::Item;

    fn settle(self, core: &Arc<Core<P>>, result: Result<P::Item>) {
        // Asked before the lock is taken: the item's answer is foreign code.
        let result = result.map(|item| (is_gone(&item), item));
        step(core, |state, effects| {
            let now = Instant::now();
            match result {
                Ok((false, item)) => state.created(self, item, now, effects),
                Ok((true, item)) => state.stillborn(self, item, now, effects),
                Err(error) => state.failed(self, error, now, effects),
            }
        });
    }

    fn runtime_gone(self, core: &Arc<Core<P>>) {
        step(core, |state, effects| state.runtime_gone(self, effects));
    }
}

/// An item on its way out. However the task ends, the state stops counting it, and nobody waits on.
struct Removing<P: Provider> {
    core: Arc<Core<P>>,
    slot: Arc<Slot<P::Item>>,
    asked: Instant,
    settled: bool,
}

impl<P: Provider> Removing<P> {
    fn succeed(mut self) {
        self.settled = true;
        let took = self.asked.elapsed();
        step(&self.core, |state, _| state.destroyed(&self.slot));
        self.core.meter(|meters| meters.destroy.record(took));
        let (id, ms) = (self.slot.item.id().to_owned(), took.as_secs_f64() * 1000.0);
        self.core.emit(Event::Destroyed { id, ms });
        self.slot.removal.send_replace(Removal::Done(Ok(())));
    }

    fn give_up(mut self, error: Error) {
        self.settled = true;
        step(&self.core, |state, effects| state.abandoned(&self.slot, error, effects));
    }
}

impl<P: Provider> Drop for Removing<P> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // The runtime ended under the task.
        let error = failure::runtime_gone().container(self.slot.item.id());
        step(&self.core, |state, effects| state.abandoned(&self.slot, error.clone(), effects));
        self.slot.removal.send_if_modified(|removal| {
            let open = !matches!(removal, Removal::Done(_));
            if open {
                *removal = Removal::Done(Err(error));
            }
            open
        });
    }
}
