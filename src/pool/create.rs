//! The tasks that prepare and create. Whatever becomes of one, its permit is handed back.

use std::{sync::Arc, thread};

use tokio::time::{timeout, Instant};

use super::{
    core::Core,
    failure,
    provider::{Prepared, Provider},
    slot::is_gone,
    state::{CreatePermit, PreparePermit},
};
use crate::{
    budget::Lane,
    error::{Code, Error, Result},
    task,
};

pub(super) fn prepare<P: Provider>(core: Arc<Core<P>>, permit: PreparePermit) {
    let runtime = core.runtime.clone();
    let cut_off = permit.cut_off();
    let held = Held { core, permit: Some(permit) };
    task::spawn_on(&runtime, async move {
        let core = held.core.clone();
        let work = core.contained("preparing", async { core.provider.prepare().await });
        let result = tokio::select! {
            biased;
            () = cut_off => Err(failure::closed()),
            result = work => result,
        };
        held.settle(result);
    });
}

pub(super) fn create<P: Provider>(core: Arc<Core<P>>, permit: CreatePermit, lane: Lane) {
    let runtime = core.runtime.clone();
    let cut_off = permit.cut_off();
    let held = Held { core, permit: Some(permit) };
    task::spawn_on(&runtime, async move {
        let core = held.core.clone();
        let limit = core.create_timeout;
        let work =
            core.contained("creating a container", async { core.provider.create(lane).await });
        let started = Instant::now();
        let result = tokio::select! {
            biased;
            () = cut_off => Err(failure::closed()),
            result = timeout(limit, work) => {
                result.unwrap_or_else(|_| Err(failure::create_timed_out(limit)))
            }
        };
        if result.is_ok() {
            core.meter(|meters| meters.create.record(started.elapsed()));
        }
        held.settle(result);
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
        core.step(|state, effects| state.prepared(self, result, Instant::now(), effects));
    }

    fn runtime_gone(self, core: &Arc<Core<P>>) {
        core.step(|state, effects| state.runtime_gone_preparing(self, effects));
    }
}

impl<P: Provider> Permit<P> for CreatePermit {
    type Made = P::Item;

    fn settle(self, core: &Arc<Core<P>>, result: Result<P::Item>) {
        // Asked before the lock is taken: the item's answer is foreign code.
        let result = result.map(|item| (is_gone(&item), item));
        core.step(|state, effects| {
            let now = Instant::now();
            match result {
                Ok((false, item)) => state.created(self, item, now, effects),
                Ok((true, item)) => state.stillborn(self, item, now, effects),
                Err(error) => state.failed(self, error, now, effects),
            }
        });
    }

    fn runtime_gone(self, core: &Arc<Core<P>>) {
        core.step(|state, effects| state.runtime_gone(self, effects));
    }
}
