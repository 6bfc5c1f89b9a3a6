//! The task that ends an item, off everybody's way.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout, Instant};

use super::{
    core::Core,
    events::Event,
    failure,
    provider::{Pooled, Provider},
    slot::{Removal, Slot},
};
use crate::{
    error::{Error, Result},
    task,
};

/// How often a removal is tried; with the delays between, an engine has some 10 s to come back.
/// What is left then is for the next start's sweep.
const ATTEMPTS: u32 = 10;
/// The longest one attempt may take. The engine's own deadline is shorter: this one is for a provider
/// that forgets it, and would hold one of few lanes for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// The state counts the item as destroying already.
pub(super) fn remove<P: Provider>(core: Arc<Core<P>>, slot: Arc<Slot<P::Item>>) {
    let runtime = core.runtime.clone();
    let removing = Removing { core, slot, asked: Instant::now(), settled: false };
    task::spawn_on(&runtime, async move {
        let (core, slot) = (removing.core.clone(), removing.slot.clone());
        let mut first_error: Option<Error> = None;
        for attempt in 1.. {
            let error = match try_once(&core, &slot).await {
                Ok(()) => return removing.succeed(),
                Err(error) => error,
            };
            let first = first_error.get_or_insert_with(|| error.clone()).clone();
            let delay = core.step(|state, effects| state.destroy_failed(&error, attempt, effects));
            slot.removal.send_replace(Removal::Done(Err(first)));
            if attempt == ATTEMPTS {
                return removing.give_up(error);
            }
            tokio::select! {
                () = sleep(delay) => {}
                () = core.provider.recovered() => {}
                () = core.hurry.notified() => {}
            }
        }
    });
}

async fn try_once<P: Provider>(core: &Core<P>, slot: &Slot<P::Item>) -> Result<()> {
    // An error means that the semaphore was closed, which nobody does.
    let _own = core.removals.acquire().await.ok();
    let _lane = core.seat.removal().await;
    let work =
        core.contained("removing a container", async { core.provider.destroy(&slot.item).await });
    timeout(ATTEMPT_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(failure::destroy_timed_out(slot.item.id(), ATTEMPT_TIMEOUT)))
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
        self.core.step(|state, _| state.destroyed(&self.slot));
        self.core.meter(|meters| meters.destroy.record(took));
        let (id, ms) = (self.slot.item.id().to_owned(), took.as_secs_f64() * 1000.0);
        self.core.emit(Event::Destroyed { id, ms });
        self.slot.removal.send_replace(Removal::Done(Ok(())));
    }

    fn give_up(mut self, cause: Error) {
        self.settled = true;
        let error = failure::given_up(self.slot.item.id(), ATTEMPTS, cause);
        self.core.step(|state, effects| state.abandoned(&self.slot, error, effects));
    }
}

impl<P: Provider> Drop for Removing<P> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // The runtime ended under the task.
        let error = failure::runtime_gone().container(self.slot.item.id());
        self.core.step(|state, effects| state.abandoned(&self.slot, error.clone(), effects));
        self.slot.removal.send_if_modified(|removal| {
            let open = !matches!(removal, Removal::Done(_));
            if open {
                *removal = Removal::Done(Err(error));
            }
            open
        });
    }
}
