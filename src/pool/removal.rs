//! The work of ending an item.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{
    core::Core,
    failure,
    provider::{Pooled, Provider},
    slot::{Removal, Slot},
};
use crate::error::{Error, Result};

/// How often a removal is tried; with the delays between, an engine has some 10 s to come back.
/// What is left then is for the next start's sweep.
const ATTEMPTS: u32 = 10;
/// The longest one attempt may take. The engine's own deadline is shorter: this one is for a provider
/// that forgets it, and would hold one of few lanes for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Has the provider end an item, with further attempts after failures; the error is that of giving up.
/// `failed` is told of each attempt (from 1) that failed, and says how long to wait for the next one.
pub(super) async fn remove<P: Provider>(
    core: &Core<P>,
    slot: &Slot<P::Item>,
    failed: impl Fn(&Error, u32) -> Duration,
) -> Result<()> {
    let mut first_error: Option<Error> = None;
    let mut attempt = 1;
    loop {
        let error = match try_once(core, slot).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let first = first_error.get_or_insert_with(|| error.clone()).clone();
        let delay = failed(&error, attempt);
        slot.removal.send_replace(Removal::Done(Err(first)));
        if attempt == ATTEMPTS {
            return Err(failure::given_up(slot.item.id(), ATTEMPTS, error));
        }
        attempt += 1;
        tokio::select! {
            () = sleep(delay) => {}
            () = core.provider.recovered() => {}
            () = core.hurry.notified() => {}
        }
    }
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
